"""Expected purchases, and the forecast of searches behind them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feature_repo.vectors import METRICS
from infra.settings import Settings
from scorers.suggestions.value import expected_purchases, forecast, market

SETTINGS = Settings()
WEEK = (10, 60, 1_440, 10_080)
"""Minutes of each window."""


def sums(*searches: float) -> NDArray[np.float64]:
    """A vector with these searches in 10m, 1h, 24h, 7d."""
    vector = np.zeros((4, len(METRICS)))
    vector[:, METRICS.index("searches")] = searches
    return vector.reshape(-1)


def steady(per_minute: float) -> NDArray[np.float64]:
    return sums(*(per_minute * minutes for minutes in WEEK))


MARKET = steady(100.0)


def searches(
    *vectors: NDArray[np.float64], market_sums: NDArray[np.float64] = MARKET, weekly: float = -1.0
) -> list[float]:
    matrix = np.stack(vectors)
    history = matrix[:, -len(METRICS)] if weekly < 0 else np.full(len(matrix), weekly)
    return forecast(matrix, market_sums, history, SETTINGS).searches.tolist()


def test_a_steady_keyword_goes_on_as_it_was() -> None:
    assert searches(steady(0.5)) == pytest.approx([0.5 * 10_080])


def test_a_surge_raises_the_forecast_but_is_not_taken_for_the_whole_week() -> None:
    calm, surging = searches(steady(0.5), sums(40, 240, 24 * 30 + 210, 5_040 + 210))
    assert 1.5 * calm < surging < 4 * calm


def test_one_search_more_surprises_little() -> None:
    calm, more = searches(sums(0, 0, 1, 7), sums(1, 1, 2, 8))
    assert more / calm < 1.3


def test_the_time_of_day_is_no_surprise() -> None:
    """At noon everything is searched three times as often; a keyword that keeps its share has not surged."""
    noon = sums(3_000, 18_000, 144_000, 1_008_000)
    assert searches(sums(15, 90, 720, 5_040), market_sums=noon) == pytest.approx([5_040], rel=0.02)


def test_a_market_of_which_nothing_is_known_is_taken_for_steady() -> None:
    calm, surging = searches(steady(0.5), sums(40, 240, 24 * 30 + 210, 5_250), market_sums=steady(0.0))
    assert calm == pytest.approx(5_040)
    assert surging > 1.5 * calm


def test_what_was_foreseen_is_told_for_the_reasons() -> None:
    result = forecast(sums(40, 40, 720, 5_040)[None], MARKET, np.array([5_040.0]), SETTINGS)
    assert result.seen.tolist() == [[40, 40, 720]]
    assert result.foreseen[0] == pytest.approx([5, 30, 720], rel=0.2)


def test_history_steadies_a_keyword_without_windows() -> None:
    unknown, known = searches(sums(0, 0, 0, 0), weekly=0.0) + searches(sums(0, 0, 0, 0), weekly=100.0)
    assert unknown == 0
    assert 10 < known < 100


@given(
    counts=st.lists(st.integers(0, 10_000), min_size=4, max_size=4).map(sorted),
    more=st.integers(1, 10_000),
    weekly=st.floats(0, 1e5),
)
def test_a_search_more_never_lowers_the_forecast(counts: list[int], more: int, weekly: float) -> None:
    """The market is held as it is; the search lies in every window."""
    before, after = searches(
        sums(*counts), sums(*(count + more for count in counts)), market_sums=steady(500.0), weekly=weekly
    )
    assert after >= before * 0.999
    assert np.isfinite(after)


def test_value_is_the_product_and_the_market_the_sum() -> None:
    one = np.array([2.0])
    assert expected_purchases(one * 50, one / 4, one / 20, one / 10).tolist() == pytest.approx([1.0])
    assert market([steady(1.0), steady(2.0)]).tolist() == steady(3.0).tolist()
