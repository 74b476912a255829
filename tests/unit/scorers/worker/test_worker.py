"""The worker around the shards: which it owns, what it imports, how its work is ordered."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings, SettingsError, load
from scorers.worker.dependencies import Dependencies
from scorers.worker.memory import CampaignMemory, ShardState, Told
from scorers.worker.pace import LEAST, Pace
from scorers.worker.waiting import AGEING_PER_S, AT_ONCE, WORTH_SCORING, Waiting
from scorers.worker.worker import shards_of
from streams.contracts.messages import Signal

HEAVY = ("torch", "sentence_transformers", "feast", "transformers", "faust", "shap", "matplotlib")


@pytest.mark.slow
def test_a_worker_imports_nothing_of_training_and_no_feast() -> None:
    program = f"import sys, scorers.worker.run; print(*(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- which shards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shards"),
    [("all", [0, 1, 2, 3]), ("0", [0]), ("0,2-3", [0, 2, 3]), (" 3 , 1 ", [1, 3]), ("0-3,1", [0, 1, 2, 3])],
)
def test_shards(text: str, shards: list[int]) -> None:
    assert shards_of(load(partitions=4, scorer_shards=text)) == shards


@pytest.mark.parametrize("text", ["", "4", "0-4", "-1", "a", "1-", "0,,2", "3-1"])
def test_a_wrong_shard_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(SettingsError, match=r"setting scorer_shards: got .*(allowed|numbered)"):
        shards_of(load(partitions=4, scorer_shards=text))


# --- what depends on what -----------------------------------------------------------------------------------------


def searches(entity: str, before: int, after: int, window: str = "1h", metric: str = "searches") -> Signal:
    return Signal(entity, "moved", metric, window, before, after)


@pytest.fixture
def dependencies() -> Dependencies:
    dependencies = Dependencies(Settings())
    dependencies.update("c1", ["i1", "i2"], {"boot": 0.6, "lamp": 0.01})
    dependencies.update("c2", ["i2"], {"boot": 0.1})
    return dependencies


def test_a_keyword_concerns_the_campaigns_that_list_it_by_its_share(dependencies: Dependencies) -> None:
    affected = dict(dependencies.affected(searches("keyword:boot", 9, 79)))
    assert affected["c1"] == pytest.approx(6 * affected["c2"])
    assert affected["c1"] > 0.3
    assert dict(dependencies.affected(searches("keyword:unknown", 9, 79))) == {}


def test_a_greater_movement_and_a_longer_window_weigh_more(dependencies: Dependencies) -> None:
    def impact(before: int, after: int, window: str = "1h") -> float:
        return dict(dependencies.affected(searches("keyword:boot", before, after, window)))["c1"]

    assert impact(9, 79) > impact(9, 19) > impact(9, 10) > impact(9, 9) == 0
    assert impact(79, 9) > 0
    assert impact(9, 79, "10m") < impact(9, 79, "1h") < impact(9, 79, "7d")


def test_items_and_pairs_concern_the_campaigns_that_promote_them(dependencies: Dependencies) -> None:
    assert set(dict(dependencies.affected(searches("item:i2", 9, 79, metric="clicks")))) == {"c1", "c2"}
    assert set(dict(dependencies.affected(searches("pair:i1|boot", 9, 79, metric="clicks")))) == {"c1"}
    assert dependencies.having("i2") == ["c1", "c2"] or dependencies.having("i2") == ["c2", "c1"]
    assert list(dependencies.affected(searches("category:boots", 9, 79))) == []


def test_what_a_campaign_no_longer_has_concerns_it_no_more(dependencies: Dependencies) -> None:
    dependencies.update("c1", ["i1"], {"lamp": 1.0})
    assert set(dict(dependencies.affected(searches("keyword:boot", 9, 79)))) == {"c2"}
    dependencies.remove("c2")
    dependencies.remove("never known")
    assert dependencies.having("i2") == []
    assert dict(dependencies.affected(searches("keyword:boot", 9, 79))) == {}


# --- who waits --------------------------------------------------------------------------------------------------


def signal(name: str) -> Signal:
    return Signal(f"keyword:{name}", "moved")


def test_the_most_urgent_are_taken_first_and_once() -> None:
    waiting = Waiting()
    for campaign, impact in (("small", 0.1), ("new", AT_ONCE), ("large", 0.9)):
        waiting.add(campaign, signal(campaign), impact, 0)
    assert list(waiting.take(2, 0)) == ["new", "large"]
    assert list(waiting.take(2, 0)) == ["small"]
    assert len(waiting) == 0


def test_signals_pile_up_and_the_greatest_is_the_trigger() -> None:
    waiting = Waiting()
    for name, impact in (("a", 0.1), ("b", 0.5), ("c", 0.2)):
        waiting.add("c1", signal(name), impact, 0)
    wait = waiting.take(1, 0)["c1"]
    assert wait.trigger == signal("b")
    assert wait.impact == pytest.approx(0.8)


def test_what_can_shift_little_waits_until_it_is_old() -> None:
    waiting = Waiting()
    waiting.add("c1", signal("a"), 0.0, 0)
    ripe_ms = int(WORTH_SCORING / AGEING_PER_S * 1_000)
    assert waiting.take(1, ripe_ms - 1) == {}
    assert list(waiting.take(1, ripe_ms)) == ["c1"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 10)), max_size=30), st.integers(1, 4))
def test_nobody_waits_for_ever(touches: list[tuple[str, float]], most: int) -> None:
    waiting, now = Waiting(), 0
    for campaign, impact in touches:
        waiting.add(campaign, signal(campaign), impact, now)
        now += 10
    left = {campaign for campaign, _ in touches}
    for _ in range(10):
        now += 10_000
        left -= set(waiting.take(most, now))
    assert left == set()


# --- how many at a time -------------------------------------------------------------------------------------------


def test_the_pace_follows_what_a_campaign_costs() -> None:
    pace = Pace(most=32)
    assert pace.campaigns == LEAST
    for _ in range(20):
        pace.note(pace.campaigns, pace.campaigns * 0.001)
    assert pace.campaigns == 32
    pace.note(32, 100.0)
    pace.note(0, 0.0)
    assert pace.campaigns == LEAST


# --- what is remembered -------------------------------------------------------------------------------------------


memories = st.builds(
    CampaignMemory,
    version=st.integers(0, 9),
    told_at=st.integers(0, 10**13),
    told=st.lists(st.builds(Told, st.text(), st.floats(0, 1e9), st.booleans()), max_size=3).map(tuple),
    dismissed=st.frozensets(st.text(), max_size=3),
    closed=st.booleans(),
    live=st.booleans(),
    exposed=st.frozensets(st.text(), max_size=2),
)


@given(st.lists(st.tuples(st.sampled_from("abc"), memories, st.booleans(), st.booleans()), max_size=12))
def test_snapshot_and_journal_give_the_state_back(steps: list[tuple[str, CampaignMemory, bool, bool]]) -> None:
    state, snapshot, journal = ShardState(), None, []
    for campaign, memory, commit, fold in steps:
        state[campaign] = memory
        if commit and (entry := state.take_entry()):
            journal.append(entry)
        if fold:
            snapshot, journal = state.snapshot(), []
    if entry := state.take_entry():
        journal.append(entry)
    restored = ShardState.restored(snapshot, journal)
    assert {name: restored.get(name) for name in "abc"} == {name: state.get(name) for name in "abc"}
    assert restored.take_entry() is None
    assert set(restored.open()) == set(state.open())
    assert restored.closing() == state.closing()
