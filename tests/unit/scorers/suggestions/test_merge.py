"""Lists of several items become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.suggestions.changes import changes
from scorers.suggestions.merge import Rows, best_rows, merge
from streams.contracts.messages import Move

probability = st.floats(0.0, 0.5)


def rows(*given: tuple[str, int, float, float], shown: Sequence[float] = ()) -> Rows:
    """`shown`: of each row, 1 when left out."""
    items, keywords, clicks, purchases = zip(*given, strict=True) if given else ((), (), (), ())
    p_shown = np.array(shown or [1.0] * len(items))
    return Rows(list(items), np.array(keywords, np.int64), p_shown, np.array(clicks), np.array(purchases))


def test_one_item_keeps_its_probabilities() -> None:
    merged = merge(rows(("i", 0, 0.04, 0.1), shown=[0.5]), np.array([1_000.0]))
    assert merged.p_shown.tolist() == [0.5]
    assert merged.p_click.tolist() == pytest.approx([0.04])
    assert merged.p_purchase.tolist() == pytest.approx([0.1])
    assert merged.value.tolist() == pytest.approx([2.0])


def test_items_add_up_per_keyword() -> None:
    merged = merge(rows(("a", 0, 0.04, 0.1), ("b", 0, 0.02, 0.3), ("b", 1, 0.01, 0.5)), np.array([100.0, 200.0]))
    assert merged.value.tolist() == pytest.approx([100 * (0.004 + 0.006), 200 * 0.005])


def test_an_item_counts_as_often_as_it_is_shown() -> None:
    several = rows(("a", 0, 0.04, 0.1), ("b", 0, 0.02, 0.3), ("c", 1, 0.5, 0.5), shown=[0.4, 0.1, 0.0])
    merged = merge(several, np.array([100.0, 100.0]))
    assert merged.p_shown.tolist() == [0.4, 0.0]
    assert merged.value.tolist() == pytest.approx([100 * (0.4 * 0.004 + 0.1 * 0.006), 0.0])
    assert [several.items[row] for row in best_rows(several, 0)] == ["a", "b"]


def test_the_item_that_sells_best_is_named_first() -> None:
    several = rows(("a", 0, 0.04, 0.1), ("b", 1, 0.5, 0.5), ("c", 0, 0.02, 0.3))
    assert [several.items[row] for row in best_rows(several, 0)] == ["c", "a"]


@given(
    st.lists(
        st.tuples(st.just("i"), st.integers(0, 4), probability, probability, st.floats(0, 1)), min_size=1, max_size=30
    ),
    st.floats(0, 1e6),
)
def test_value_is_the_product_of_the_published_factors(
    given_rows: list[tuple[str, int, float, float, float]], searches: float
) -> None:
    merged = merge(rows(*(row[:4] for row in given_rows), shown=[row[4] for row in given_rows]), np.full(5, searches))
    product = merged.searches * merged.p_shown * merged.p_click * merged.p_purchase
    assert merged.value == pytest.approx(product)
    for factor in (merged.p_shown, merged.p_click, merged.p_purchase):
        assert ((factor >= 0) & (factor <= 1)).all()


def test_changes_name_what_came_left_stayed_and_moved() -> None:
    result = changes(["a", "b", "c"], ["c", "a", "d"])
    assert (result.added, result.removed, result.kept) == (["d"], ["b"], ["c", "a"])
    assert result.moved == [Move(canonical="c", before=3, after=1), Move(canonical="a", before=1, after=2)]


@given(st.lists(st.sampled_from("abcdefg"), unique=True), st.lists(st.sampled_from("abcdefg"), unique=True))
def test_changes_lead_from_one_list_to_the_other(before: list[str], after: list[str]) -> None:
    result = changes(before, after)
    assert {*before} - {*result.removed} | {*result.added} == {*after}
    assert {*result.kept} == {*before} & {*after}
    assert all(before[move.before - 1] == after[move.after - 1] == move.canonical for move in result.moved)
