"""Worth telling? Material changes are, swings within the thresholds are not, and nothing is told twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings
from scorers.suggestions.policy import Policy, Verdict, judge, steady, tell_at

POLICY = Policy.of(Settings())
NONE: frozenset[str] = frozenset()

values = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.floats(0.0, 1e3), max_size=16)


def ranked(given_values: dict[str, float]) -> dict[str, float]:
    return dict(sorted(given_values.items(), key=lambda pair: (-pair[1], pair[0])))


def compare(told: dict[str, float], now: dict[str, float], **over: frozenset[str]) -> Verdict:
    withdrawn, surging, told_surging = (over.get(name, NONE) for name in ("withdrawn", "surging", "told_surging"))
    return judge(ranked(told), ranked(now), withdrawn, surging, told_surging, POLICY)


TEN = {letter: 100.0 - 5 * rank for rank, letter in enumerate("abcdefghij")}


# --- which keywords are listed ------------------------------------------------------------------------------------


@given(values, st.integers(1, 20), st.floats(0, 1))
def test_a_first_list_is_the_best_by_value(given_values: dict[str, float], most: int, margin: float) -> None:
    assert steady(given_values, set(), most, margin) == list(ranked(given_values))[:most]


@given(values, st.sets(st.sampled_from("abcdefghijklmnop")), st.integers(1, 10), st.floats(0, 1))
def test_a_list_is_in_order_of_value(given_values: dict[str, float], told: set[str], most: int, margin: float) -> None:
    chosen = steady(given_values, told, most, margin)
    assert len(chosen) == min(most, len(given_values))
    assert [given_values[keyword] for keyword in chosen] == sorted((given_values[k] for k in chosen), reverse=True)


def test_a_newcomer_must_be_better_by_the_margin() -> None:
    told = {"a", "b"}
    assert steady({"a": 10, "b": 5, "c": 5.5}, told, 2, 0.15) == ["a", "b"]
    assert steady({"a": 10, "b": 5, "c": 6}, told, 2, 0.15) == ["a", "c"]


@given(values, st.data())
def test_two_keywords_that_swing_within_the_margin_do_not_take_turns(
    given_values: dict[str, float], data: st.DataObject
) -> None:
    told = set(steady(given_values, set(), 5, POLICY.margin))
    swung = {keyword: value * data.draw(st.floats(0.94, 1.07)) for keyword, value in given_values.items()}
    assert set(steady(swung, told, 5, POLICY.margin)) == told


# --- is it worth a message ----------------------------------------------------------------------------------------


@given(values, st.sets(st.sampled_from("abcdefghijklmnop")))
def test_nothing_is_told_twice(told: dict[str, float], surging: set[str]) -> None:
    assert not compare(told, told, surging=frozenset(surging), withdrawn=frozenset(surging)).material


@given(values, st.data())
def test_small_swings_are_not_told(told: dict[str, float], data: st.DataObject) -> None:
    swung = {keyword: value * data.draw(st.floats(0.94, 1.07)) for keyword, value in told.items()}
    assert not compare(told, swung).material


def test_a_drift_is_told_once() -> None:
    told, tellings = dict(TEN), 0
    for step in range(1, 101):
        now = TEN | {"a": 100.0 * 1.02**step}
        if compare(told, now).material:
            told, tellings = now, tellings + 1
    assert tellings == int(step * 0.0198 / 0.405)  # ln 1.02 a step, ln 1.5 a telling


def test_a_keyword_that_came_or_left() -> None:
    came = {key: value for key, value in TEN.items() if key != "j"} | {"new": 60.0}
    assert set(compare(TEN, came).changed) == {"new", "j"}
    assert not compare(TEN, TEN | {"tiny": 0.5}).material
    assert not compare(TEN | {"tiny": 0.5}, TEN).material


def test_a_small_keyword_that_the_seller_took_is_told() -> None:
    assert compare(TEN | {"tiny": 0.5}, TEN, withdrawn=frozenset({"tiny"})).changed == ("tiny",)


def test_a_far_move_is_told_and_a_near_tie_is_not() -> None:
    assert compare(TEN, TEN | {"j": 82.0}).material
    flat = {letter: 10.0 + rank * 0.1 for rank, letter in enumerate("abcdefghij")}
    assert not compare(flat, {letter: 20.9 - value for letter, value in flat.items()}).material


def test_a_surge_waits_for_no_interval() -> None:
    surged = compare(TEN, TEN | {"j": 200.0}, surging=frozenset({"j"}))
    assert surged.surge
    assert tell_at(1_000, surged, POLICY) == 0
    ordinary = compare(TEN, TEN | {"j": 200.0})
    assert ordinary.material
    assert not ordinary.surge
    assert tell_at(1_000, ordinary, POLICY) == 1_000 + POLICY.interval_ms


def test_a_surge_is_told_when_it_begins_and_then_as_any_change() -> None:
    risen, surging = TEN | {"j": 55.5}, frozenset({"j"})
    begun = compare(TEN, risen, surging=surging)
    assert begun.changed == ("j",)
    assert begun.surge
    assert not compare(TEN, risen, surging=surging, told_surging=surging).material
    assert compare(TEN, TEN | {"j": 85.0}, surging=surging, told_surging=surging).surge


def test_a_surge_of_what_hardly_matters_is_not_told() -> None:
    assert not compare(TEN | {"tiny": 0.5}, TEN | {"tiny": 0.6}, surging=frozenset({"tiny"})).material


def test_a_surging_keyword_that_fades_is_no_surge() -> None:
    assert not compare(TEN, TEN | {"a": 20.0}, surging=frozenset({"a"})).surge


@given(values, values)
def test_the_verdict_names_what_changed(told: dict[str, float], now: dict[str, float]) -> None:
    verdict = compare(told, now)
    assert verdict.material == bool(verdict.changed)
    assert set(verdict.changed) <= set(told) | set(now)
    assert all(told.get(keyword) != now.get(keyword) for keyword in verdict.changed)
