"""Who gets what is a pure function, uniform, and independent between experiments and layers."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scorers.experiments.assignment import assign, overlapping, position
from tests.unit.scorers.experiments.synthetic import plan

SELLERS = [f"seller{number}" for number in range(20_000)]


def test_places_are_known_for_ever() -> None:
    assert position("salt", "seller") == 0.36604818988624666
    boots = plan()
    arms = [assign(boots, seller) for seller in ("s0", "s1", "s2", "s3")]
    assert arms == ["control", "suggestions", "control", "suggestions"]


@given(st.text(), st.text())
def test_places_lie_in_the_unit_interval(salt: str, unit: str) -> None:
    assert 0 <= position(salt, unit) < 1


def test_arms_have_their_shares_and_the_hold_out_comes_first() -> None:
    boots = plan("hold_out: 0.1")
    counts = Counter(assign(boots, seller) for seller in SELLERS)
    expected = {"hold-out": 0.1, "control": 0.45, "suggestions": 0.45}
    observed = [counts[name] for name in expected]
    assert stats.chisquare(observed, [share * len(SELLERS) for share in expected.values()]).pvalue > 0.001


def test_experiments_split_each_others_arms_evenly() -> None:
    boots, shoes = plan(), plan("name: shoes")
    pairs = Counter((assign(boots, seller), assign(shoes, seller)) for seller in SELLERS)
    table = [[pairs[a, b] for b in ("control", "suggestions")] for a in ("control", "suggestions")]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_experiments_of_one_layer_share_no_unit_and_the_hold_out_is_the_same() -> None:
    first = plan("layer: {name: lists, begin: 0, end: 0.5}\nhold_out: 0.1")
    second = plan("name: shoes\nlayer: {name: lists, begin: 0.5, end: 1}\nhold_out: 0.1")
    for seller in SELLERS[:3_000]:
        one, other = assign(first, seller), assign(second, seller)
        assert (one == "hold-out") == (other == "hold-out")
        assert one == other == "hold-out" or (one is None) != (other is None)
    whole = plan("name: hats\nlayer: {name: lists}")
    assert overlapping(first, [second, whole, plan()]) == [whole]
