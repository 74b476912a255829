"""Stopping an arm: what its units are shown, who may stop what, and what is said of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from infra.clock import ManualClock
from infra.settings import DAY_MS, HOUR_MS, load
from scorers.experiments.analysis import analyse
from scorers.experiments.arms import Arms, Experiment, conflict
from scorers.experiments.assignment import assign
from scorers.experiments.frozen import Started, Tampered, folder_of, freeze
from scorers.experiments.frozen import load as load_started
from scorers.experiments.reader import ExperimentReader
from scorers.experiments.report.content import content
from scorers.experiments.report.markdown import markdown
from scorers.experiments.status import show, status_of
from scorers.experiments.stops import BadStop, stop, stopped_arms, stops_of
from scorers.experiments.watch import watched
from scorers.experiments.weekly import weekly
from streams.contracts.messages import CampaignState
from tests.unit.scorers.experiments.synthetic import plan, plan_text, tables

BEGINS = plan().start_ms
ENDS = BEGINS + 42 * DAY_MS
WIDE = "margins: {campaigns_created: 0.2}"
THREE = """
arms:
  - {name: control, share: 0.4, shows: nothing}
  - {name: suggestions, share: 0.3, shows: suggestions}
  - {name: other, share: 0.3, shows: suggestions, bundle: models/other}
"""
TWO_BUNDLES = """
arms:
  - {name: control, share: 0.5, shows: suggestions, bundle: models/old}
  - {name: other, share: 0.5, shows: suggestions, bundle: models/new}
"""


def started(home: Path, text: str = "", at_ms: int = BEGINS) -> Started:
    source = home / "source.yaml"
    home.mkdir(exist_ok=True)
    source.write_text(plan_text(text))
    one, folder = plan(text), folder_of(load(home=home))
    freeze(source, one, folder, at_ms)
    return load_started(folder, one.name)


def experiment(text: str, *stopped: str) -> Experiment:
    return Experiment(plan(text), "0" * 64, ENDS, frozenset(stopped))


def campaign_in(one: Experiment, arm: str) -> CampaignState:
    seller = next(name for name in (f"s{n}" for n in range(10_000)) if assign(one.plan, name) == arm)
    return CampaignState(
        schema_version=1, campaign="c", seller=seller, items=["i"], category="boots", starts_at=1, updated_at=1
    )


# --- what a stopped arm is shown ----------------------------------------------------------------------------------


def test_a_stopped_arm_is_shown_what_the_control_is_and_stays_the_arm_that_it_was() -> None:
    one = experiment(THREE, "suggestions")
    shown = {arm: Arms([one]).of(campaign_in(one, arm), BEGINS) for arm in ("control", "suggestions", "other")}
    assert {arm: treatment.shows for arm, treatment in shown.items()} == {
        "control": False,
        "suggestions": False,
        "other": True,
    }
    assert shown["suggestions"].arm == "boots/suggestions"
    assert [place.running for place in shown["suggestions"].places] == [True]


def test_where_the_control_has_a_bundle_a_stopped_arm_is_scored_with_it() -> None:
    one = experiment(TWO_BUNDLES, "other")
    treatment = Arms([one]).of(campaign_in(one, "other"), BEGINS)
    assert (treatment.shows, treatment.bundle) == (True, "models/old")
    assert one.bundles == ["models/old"]


def test_with_an_arm_stopped_the_experiment_does_not_end_by_itself() -> None:
    """At its end every seller would get what was found harmful."""
    running, stopped = experiment(""), experiment("", "suggestions")
    for one, shows in ((running, True), (stopped, False)):
        for arm in ("control", "suggestions"):
            treatment = Arms([one]).of(campaign_in(one, arm), ENDS)
            assert treatment.shows is shows
            assert [place.running for place in treatment.places] == ([] if shows else [False])
    later = Experiment(plan("name: shoes\nstart: 2031-06-02"), "0" * 64, ENDS + 200 * DAY_MS)
    assert conflict(later, [running]) is None
    assert "layer: boots" in (conflict(later, [stopped]) or "")


# --- the record ---------------------------------------------------------------------------------------------------


def test_a_stop_leaves_the_plan_as_it_was_frozen(tmp_path: Path) -> None:
    one = started(tmp_path)
    (made,) = stop(one, "suggestions", "operator", "odd keywords", BEGINS + 1)
    again = load_started(one.folder.parent, "boots")
    assert again.frozen.as_started() == one.plan
    assert again.frozen == one.frozen
    assert again.changed == []
    assert stops_of(one.folder) == {"suggestions": made}


def test_all_treatments_are_stopped_together_and_one_that_was_keeps_its_own(tmp_path: Path) -> None:
    one = started(tmp_path, THREE)
    stop(one, "other", "guardrail", "harm", BEGINS + 1)
    assert [made.arm for made in stop(one, None, "operator", "enough", BEGINS + 2)] == ["suggestions"]
    assert {arm: (made.by, made.at) for arm, made in stops_of(one.folder).items()} == {
        "other": ("guardrail", BEGINS + 1),
        "suggestions": ("operator", BEGINS + 2),
    }


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ("control", "control is the control, which all others fall back to; stop suggestions, other"),
        ("shoes", "boots has no arm 'shoes'; it has suggestions, other"),
        ("other", "other is stopped already; `keypulse experiment status boots` says since when"),
    ],
)
def test_what_cannot_be_stopped_is_told(tmp_path: Path, arm: str, told: str) -> None:
    one = started(tmp_path, THREE)
    stop(one, "other", "operator", "", BEGINS)
    with pytest.raises(BadStop, match=told):
        stop(one, arm, "operator", "", BEGINS)


def test_a_damaged_record_is_named_and_stops_its_arm_all_the_same(tmp_path: Path) -> None:
    one = started(tmp_path)
    stop(one, None, "operator", "", BEGINS)
    (one.folder / "stopped" / "suggestions.json").write_text("{")
    assert stopped_arms(one.folder) == {"suggestions"}
    with pytest.raises(Tampered, match=r"suggestions\.json cannot be read .* stays stopped"):
        stops_of(one.folder)


# --- a running worker ---------------------------------------------------------------------------------------------


def test_a_worker_heeds_a_stop_within_seconds_once_and_for_good(tmp_path: Path) -> None:
    one = started(tmp_path)
    arms, clock = Arms(), ManualClock(BEGINS)

    def reader() -> ExperimentReader:
        return ExperimentReader(load(home=tmp_path), arms, clock, lambda bundle: None)

    def later() -> bool:
        clock.advance_to(clock.now_ms() + 5_000)
        return running.poll()

    running = reader()
    assert not running.poll()
    treated = campaign_in(arms.experiments[0], "suggestions")
    stop(one, None, "operator", "", BEGINS)
    assert arms.of(treated, BEGINS).shows
    assert later()
    assert not arms.of(treated, BEGINS).shows
    assert not later()
    (one.folder / "stopped" / "suggestions.json").unlink()
    assert not later()
    assert not arms.of(treated, BEGINS).shows
    stop(one, None, "operator", "", BEGINS)
    arms.experiments = ()
    reader().poll()
    assert not arms.of(treated, BEGINS).shows


def test_an_arm_is_stopped_although_its_bundle_is_broken(tmp_path: Path) -> None:
    one = started(tmp_path, THREE)
    stop(one, "other", "operator", "broken bundle", BEGINS)
    needed: list[str] = []
    arms = Arms()
    ExperimentReader(load(home=tmp_path), arms, ManualClock(BEGINS), needed.append).poll()
    assert [running.stopped for running in arms.experiments] == [{"other"}]
    assert needed == []


# --- the watcher --------------------------------------------------------------------------------------------------


def test_the_watcher_stops_an_arm_that_breaches_its_guardrail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = started(tmp_path, WIDE)
    harmed, now = tables(one.plan, created=(1.0, 0.5)), BEGINS + 30 * DAY_MS
    alerted = watched(one, harmed, now, HOUR_MS, stopping=False)
    assert alerted.harmful == ["suggestions"]
    assert any("keypulse experiment stop boots --arm suggestions" in alarm for alarm in alerted.alarms)
    assert stopped_arms(one.folder) == set()

    after = watched(one, harmed, now, HOUR_MS, stopping=True)
    assert (after.alarms, after.harmful) == ([], [])
    assert "arm suggestions breaches its guardrail and is stopped: campaigns created -" in caplog.text
    (made,) = stops_of(one.folder).values()
    assert (made.arm, made.by, made.at) == ("suggestions", "guardrail", now)
    assert "stopped  suggestions since 2031-02-05 00:00 UTC by the guardrail: campaigns created -" in after.text
    assert watched(one, harmed, now + DAY_MS, HOUR_MS, stopping=True).stops == {"suggestions": made}
    show(after, "boots")
    assert REGISTRY.get_sample_value("keypulse_experiment_stopped", {"experiment": "boots", "arm": "suggestions"}) == 1
    assert REGISTRY.get_sample_value("keypulse_experiment_stopped", {"experiment": "boots", "arm": "control"}) == 0
    over = status_of(one, harmed, ENDS + DAY_MS, HOUR_MS)
    assert any("over, and stands" in alarm for alarm in over.alarms)


def test_only_the_arm_that_does_harm_is_stopped(tmp_path: Path) -> None:
    one = started(tmp_path, f"{WIDE}\n{THREE}")
    drawn = tables(one.plan, sellers=4_000)
    bad = drawn.exposures.filter(arm="other").get_column("unit").unique()
    created = drawn.campaigns.get_column("campaign").str.contains("-n[1-9]")
    lost = drawn.campaigns.filter(~(created & drawn.campaigns.get_column("unit").is_in(bad.implode())))
    found = watched(one, type(drawn).checked(**{**vars(drawn), "campaigns": lost}), ENDS, HOUR_MS, stopping=True)
    assert list(found.stops) == ["other"]


def test_an_arm_that_does_no_harm_is_never_stopped(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    drawn = tables(one.plan)
    for day in range(15, 45):
        assert watched(one, drawn, BEGINS + day * DAY_MS, HOUR_MS, stopping=True).stops == {}


# --- what is said of it -------------------------------------------------------------------------------------------


def test_a_report_says_from_when_outcomes_are_mixed(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    drawn, at = tables(one.plan, lift=1.5), BEGINS + 20 * DAY_MS
    stop(one, None, "operator", "odd keywords", at)
    found = analyse(one.plan, drawn, BEGINS + 60 * DAY_MS, HOUR_MS, stops_of(one.folder))
    (comparison,) = found.comparisons
    assert 0 < comparison.mixed < found.units["suggestions"]
    assert comparison.decision.verdict == "inconclusive"
    text = markdown(content(one, found))
    assert "**suggestions was stopped on 2031-01-26 00:00 UTC by the operator**: odd keywords." in text
    assert f"those of {comparison.mixed:,} of {found.units['suggestions']:,} units" in text
    assert "intention to treat" in text
    plain = analyse(one.plan, drawn, BEGINS + 60 * DAY_MS, HOUR_MS)
    assert comparison.primary == plain.comparisons[0].primary, "all are judged as they were assigned"
    assert "stopped on 2031-01-26" in weekly(one.plan, drawn, ENDS, HOUR_MS, stops_of(one.folder))


def test_a_stop_after_the_last_window_changes_nothing(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    drawn = tables(one.plan, lift=1.5)
    stop(one, None, "operator", "", ENDS)
    found = analyse(one.plan, drawn, ENDS + DAY_MS, HOUR_MS, stops_of(one.folder)).comparisons[0]
    assert (found.mixed, found.decision.verdict) == (0, "go")
    before = analyse(one.plan, drawn, ENDS - DAY_MS, HOUR_MS, stops_of(one.folder)).comparisons[0]
    assert before.stop is None
