"""Which part of a history teaches."""

from __future__ import annotations

import pytest

from infra.settings import DAY_MS, load
from scorers.training.split import held_out_from, taught_from


@pytest.mark.parametrize(
    ("days", "warm_up", "held_out"), [(1, 0.1, 0.3), (10, 1, 3), (20, 2, 6), (30, 3, 7), (365, 7, 7)]
)
def test_shares_of_a_short_history_and_a_week_of_a_long_one(days: int, warm_up: float, held_out: float) -> None:
    first, last = 5 * DAY_MS, (5 + days) * DAY_MS
    assert taught_from(first, last, load()) - first == pytest.approx(warm_up * DAY_MS, abs=1)
    assert last - held_out_from(first, last, load()) == pytest.approx(held_out * DAY_MS, abs=1)


def test_how_many_days_judge_is_a_setting() -> None:
    assert held_out_from(0, 30 * DAY_MS, load(holdout_days=2)) == 28 * DAY_MS
