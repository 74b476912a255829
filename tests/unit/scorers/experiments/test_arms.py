"""Which arm a campaign is in, when, and what it may be told; which started plans a worker heeds."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clock import ManualClock
from infra.failure import Failure
from infra.settings import DAY_MS, MINUTE_MS, load
from scorers.experiments.arms import Arms, Experiment, conflict
from scorers.experiments.assignment import assign
from scorers.experiments.frozen import folder_of, freeze
from scorers.experiments.reader import ExperimentReader
from streams.contracts.messages import CampaignState
from tests.unit.scorers.experiments.synthetic import plan, plan_text

BEGINS = plan().start_ms
ENDS = BEGINS + 42 * DAY_MS
BUNDLE_ARMS = """
arms:
  - {name: control, share: 0.5, shows: suggestions}
  - {name: other, share: 0.5, shows: suggestions, bundle: models/other}
"""


def campaign(seller: str, category: str = "boots") -> CampaignState:
    return CampaignState(
        schema_version=1, campaign="c", seller=seller, items=["i"], category=category, starts_at=1, updated_at=1
    )


def experiment(text: str = "", ends_ms: int = ENDS) -> Experiment:
    return Experiment(plan(text), "0" * 64, ends_ms)


def seller_in(one: Experiment, arm: str | None) -> str:
    return next(name for name in (f"s{n}" for n in range(10_000)) if assign(one.plan, name) == arm)


# --- pure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arm", "shows"), [("control", False), ("suggestions", True)])
def test_an_arm_holds_from_the_plans_start_to_its_end(arm: str, shows: bool) -> None:
    arms, one = Arms([experiment()]), campaign(seller_in(experiment(), arm))
    for now in (BEGINS, ENDS - 1):
        assert (arms.of(one, now).arm, arms.of(one, now).shows) == (f"boots/{arm}", shows)
        assert [place.running for place in arms.of(one, now).places] == [True]
    for now in (BEGINS - 1, ENDS):
        assert (arms.of(one, now).arm, arms.of(one, now).shows, arms.of(one, now).places) == ("default", True, ())


def test_a_hold_out_stands_on_when_the_arms_have_ended() -> None:
    held = experiment("hold_out: 0.1")
    one = campaign(seller_in(held, "hold-out"))
    assert not Arms([held]).of(one, ENDS - 1).shows
    (place,) = Arms([held]).of(one, ENDS).places
    assert (place.arm, place.shows, place.running) == ("hold-out", False, False)
    assert Arms([held]).of(one, BEGINS - 1).shows


@given(st.text(max_size=20))
def test_what_is_held_out_is_in_no_arm_of_any_other_experiment(seller: str) -> None:
    other = experiment("name: shoes\nlayer: {name: other}")
    treatment = Arms([experiment("hold_out: 0.5"), other]).of(campaign(seller), BEGINS)
    if "boots/hold-out" in treatment.arm:
        assert treatment.arm == "boots/hold-out"
    else:
        assert treatment.arm.count(",") == 1


def test_a_part_of_a_layer_that_is_not_the_experiments_is_untouched() -> None:
    half = experiment("layer: {name: lists, begin: 0, end: 0.5}")
    assert Arms([half]).of(campaign(seller_in(half, None)), BEGINS).arm == "default"


def test_of_two_layers_either_may_show_nothing() -> None:
    boots, shoes = experiment(), experiment("name: shoes\nlayer: {name: other}")
    found = {Arms([boots, shoes]).of(campaign(f"s{n}"), BEGINS).arm: f"s{n}" for n in range(100)}
    shows = {arm: Arms([boots, shoes]).of(campaign(seller), BEGINS).shows for arm, seller in found.items()}
    assert len(shows) == 4
    assert [arm for arm, shown in shows.items() if shown] == ["boots/suggestions,shoes/suggestions"]


def test_a_plan_by_category_assigns_categories() -> None:
    arms = Arms([experiment("unit: category")])
    assert len({arms.of(campaign(f"s{n}", "boots"), BEGINS).arm for n in range(50)}) == 1
    assert len({arms.of(campaign("s", f"k{n}"), BEGINS).arm for n in range(50)}) == 2


def test_an_arms_bundle_is_named() -> None:
    one = experiment(BUNDLE_ARMS)
    assert one.bundles == ["models/other"]
    assert Arms([one]).of(campaign(seller_in(one, "other")), BEGINS).bundle == "models/other"
    assert Arms([one]).of(campaign(seller_in(one, "control")), BEGINS).bundle is None


def test_what_cannot_run_together_is_told() -> None:
    boots = experiment(BUNDLE_ARMS)
    assert "layer: boots" in (conflict(experiment("name: shoes"), [boots]) or "")
    assert "bundle: boots" in (conflict(experiment(f"name: shoes\nlayer: {{name: other}}{BUNDLE_ARMS}"), [boots]) or "")
    assert conflict(experiment("name: shoes\nlayer: {name: other}"), [boots]) is None
    assert conflict(experiment("name: shoes\nstart: 2031-05-05", ENDS + 90 * DAY_MS), [boots]) is None


# --- the folder ---------------------------------------------------------------------------------------------------


class Worker:
    """What a worker has of the experiments."""

    def __init__(self, home: Path) -> None:
        self.settings = load(home=home)
        self.arms = Arms()
        self.clock = ManualClock(BEGINS)
        self.needed: list[str] = []
        self.missing: set[str] = set()
        self.start()

    def start(self) -> None:
        self.arms.experiments = ()
        self.reader = ExperimentReader(self.settings, self.arms, self.clock, self._need)
        self.reader.poll()

    def a_minute_later(self) -> list[str]:
        """Names of the experiments that run then."""
        self.clock.advance_to(self.clock.now_ms() + MINUTE_MS)
        self.reader.poll()
        return [one.plan.name for one in self.arms.experiments]

    def begin(self, text: str = "", at_ms: int = BEGINS) -> Path:
        """Start an experiment; its folder."""
        one = plan(text)
        source = self.settings.home / "source.yaml"
        source.parent.mkdir(exist_ok=True)
        source.write_text(plan_text(text))
        freeze(source, one, folder_of(self.settings), at_ms)
        return folder_of(self.settings) / one.name

    def _need(self, bundle: str) -> None:
        self.needed.append(bundle)
        if bundle in self.missing:
            raise Failure(f"{bundle}/manifest.json is missing")


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path / "home")


def test_an_experiment_that_is_started_runs_within_a_minute_and_looking_is_rare(worker: Worker) -> None:
    worker.begin()
    worker.reader.poll()
    assert worker.arms.experiments == ()
    assert worker.a_minute_later() == ["boots"]
    assert worker.arms.experiments[0].ends_ms == BEGINS + 42 * DAY_MS + worker.settings.late_horizon_ms


def test_an_experiment_whose_folder_is_taken_away_ends(worker: Worker) -> None:
    worker.begin().joinpath("frozen.json").rename(worker.settings.home / "away.json")
    assert worker.a_minute_later() == []


@pytest.mark.parametrize("content", ["", "name: [", "name: boots\n"])
def test_a_changed_plan_is_not_followed_and_told_once(
    worker: Worker, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    folder = worker.begin()
    before = worker.a_minute_later() and worker.arms.experiments
    (folder / "plan.yaml").write_text(content)
    for _ in range(3):
        worker.a_minute_later()
    assert worker.arms.experiments == before
    assert len([one for one in caplog.records if "goes on as it was started" in one.message]) == 1
    worker.start()
    assert worker.arms.experiments == before


def test_changed_shares_are_named(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    folder = worker.begin()
    text = (folder / "plan.yaml").read_text()
    (folder / "plan.yaml").write_text(text.replace("share: 0.5, shows: s", "share: 0.9, shows: s"))
    worker.a_minute_later()
    assert "cannot be read" in caplog.text
    (folder / "plan.yaml").write_text(text + "\npower: 0.9\n")
    assert worker.a_minute_later() == ["boots"]
    assert "boots goes on as it was started: the plan was changed after its start: power" in caplog.text


def test_what_was_frozen_and_then_changed_is_refused(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    frozen = worker.begin() / "frozen.json"
    content = json.loads(frozen.read_bytes())
    content["plan"]["arms"][0]["shows"] = "suggestions"
    frozen.write_text(json.dumps(content))
    assert worker.a_minute_later() == []
    assert "experiment boots refused: frozen.json: plan does not fit checksum" in caplog.text
    frozen.write_text("{")
    assert worker.a_minute_later() == []
    assert "cannot be read" in caplog.text


def test_a_bundle_that_cannot_be_loaded_is_named_with_its_plan_until_it_can(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.missing.add("models/other")
    worker.begin(BUNDLE_ARMS)
    assert worker.a_minute_later() == []
    assert "experiment boots refused: arms.bundle: models/other/manifest.json is missing" in caplog.text
    worker.missing.clear()
    assert worker.a_minute_later() == ["boots"]
    assert worker.a_minute_later() == ["boots"]
    assert len(worker.needed) == 2


def test_of_two_that_cannot_run_together_the_earlier_one_runs_in_every_worker(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    worker.begin("name: shoes", BEGINS - 2)
    worker.begin("name: boots", BEGINS - 1)
    assert worker.a_minute_later() == ["shoes"]
    assert "experiment boots refused: layer: shoes" in caplog.text
    worker.start()
    assert [one.plan.name for one in worker.arms.experiments] == ["shoes"]
