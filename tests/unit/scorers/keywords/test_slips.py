"""What may be a slip of what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.keywords.slips import differ_in_meaning, slip_cost


@pytest.mark.parametrize(
    ("typed", "meant", "cost"),
    [
        ("hedphones", "headphones", 1),
        ("wirless", "wireless", 1),
        ("laotp", "laptop", 0),
        ("boost", "boots", 1),
        ("camrea", "camera", 1),
        ("camerra", "camera", 1),
        ("cameta", "camera", 1),
        ("camexa", "camera", 2),
        ("xamera", "camera", 2),
        ("headfones", "headphones", 3),
        ("tv", "tx", 0),
        ("64gb", "84gb", 0),
        ("camera", "chamber", 0),
    ],
)
def test_cost(typed: str, meant: str, cost: int) -> None:
    assert slip_cost(typed, meant) == cost


def test_short_words_are_mended_only_into_known_ones() -> None:
    assert slip_cost("vrib", "crib") == 0
    assert slip_cost("vrib", "crib", known=True) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("lined", "unlined"), ("heated", "heater"), ("waxed", "unwaxed"), ("line", "lined")],
)
def test_words_that_look_alike_and_differ(one: str, other: str) -> None:
    assert differ_in_meaning(one, other, strange=False)
    assert differ_in_meaning(other, one, strange=False)


def test_sizes_and_colours_are_never_slips() -> None:
    assert differ_in_meaning("tan", "teal", strange=False)
    assert differ_in_meaning("wide", "wine", strange=False)
    assert not differ_in_meaning("withuot", "without", strange=True)
    assert not differ_in_meaning("toastor", "toaster", strange=True)
    assert not differ_in_meaning("covee", "cover", strange=True)


@given(
    st.text(alphabet="abcdeimnorst", min_size=1, max_size=10), st.text(alphabet="abcdeimnorst", min_size=1, max_size=10)
)
def test_a_cost_is_bounded_and_a_word_is_no_slip_far_from_itself(typed: str, meant: str) -> None:
    assert 0 <= slip_cost(typed, meant) <= slip_cost(typed, meant, known=True) or slip_cost(typed, meant) == 0
    assert slip_cost(typed, meant, known=True) <= 3
