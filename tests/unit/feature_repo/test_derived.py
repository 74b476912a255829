"""Derived features against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feature_repo.derived import derive, derived_names
from feature_repo.vectors import METRICS, sum_names
from infra.settings import WINDOW_LENGTHS_MS, Settings, load

SETTINGS = load()
WINDOWS = SETTINGS.windows
V = len(sum_names(WINDOWS))

sums = arrays(np.float64, st.tuples(st.integers(0, 6), st.just(V)), elements=st.integers(0, 10**9).map(float))


def _vector(**given_sums: float) -> np.ndarray:
    vector = np.zeros((1, V))
    for name, value in given_sums.items():
        vector[0, sum_names(WINDOWS).index(name)] = value
    return vector


def _derived(entity: np.ndarray, category: np.ndarray, settings: Settings = SETTINGS) -> dict[str, float]:
    values = derive(entity, category, settings.windows, settings)[0].tolist()
    return dict(zip(derived_names(settings.windows), values, strict=True))


@given(sums)
def test_one_finite_number_a_name(matrix: np.ndarray) -> None:
    derived = derive(matrix, matrix[::-1], WINDOWS, SETTINGS)
    assert derived.shape == (len(matrix), len(derived_names(WINDOWS)))
    assert np.isfinite(derived).all()


@given(sums)
def test_rows_do_not_touch_each_other(matrix: np.ndarray) -> None:
    together = derive(matrix, matrix[::-1], WINDOWS, SETTINGS)
    for row in range(len(matrix)):
        alone = derive(matrix[[row]], matrix[::-1][[row]], WINDOWS, SETTINGS)
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-14)


def test_names_are_unique_and_follow_the_windows() -> None:
    names = derived_names(WINDOWS)
    assert len(set(names)) == len(names)
    assert {"ctr_10m", "conversion_7d", "log_revenue_24h", "searches_trend_1h_24h", "clicks_recency"} <= set(names)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_rate_lies_between_the_entitys_and_its_categorys(
    clicks: int, impressions: int, category_clicks: int, category_impressions: int
) -> None:
    category = _vector(clicks_7d=category_clicks, impressions_7d=category_impressions)
    ctr = _derived(_vector(clicks_1h=clicks, impressions_1h=impressions), category)["ctr_1h"]
    prior = category_clicks / category_impressions
    weight = SETTINGS.smoothing_impressions
    assert ctr == pytest.approx((clicks + weight * prior) / (impressions + weight), rel=1e-12)
    if impressions:
        low, high = sorted((prior, clicks / impressions))
        assert low - 1e-9 <= ctr <= high * (1 + 1e-12) + 1e-9


def test_nothing_seen_has_the_categorys_rates() -> None:
    category = _vector(clicks_7d=30, impressions_7d=1_000, purchases_7d=3, searches_7d=600)
    derived = _derived(_vector(), category)
    for window in WINDOWS:
        assert derived[f"ctr_{window}"] == pytest.approx(0.03)
        assert derived[f"conversion_{window}"] == pytest.approx(0.1)
        assert derived[f"purchases_per_search_{window}"] == pytest.approx(0.005)


def test_a_category_without_a_trial_has_rate_zero() -> None:
    assert _derived(_vector(), _vector())["ctr_7d"] == 0


@pytest.mark.parametrize(
    ("setting", "rate", "count", "trial"),
    [
        ("smoothing_impressions", "ctr_1h", "clicks_1h", "impressions_1h"),
        ("smoothing_clicks", "conversion_1h", "purchases_1h", "clicks_1h"),
        ("smoothing_searches", "purchases_per_search_1h", "purchases_1h", "searches_1h"),
    ],
)
def test_each_rate_has_its_own_weight(setting: str, rate: str, count: str, trial: str) -> None:
    derived = _derived(_vector(**{count: 5, trial: 10}), _vector(), load(**{setting: 10.0}))
    assert derived[rate] == pytest.approx(5 / 20)


def test_trend_of_a_steady_entity_is_zero_and_of_a_surge_its_factor() -> None:
    steady = _derived(_vector(searches_1h=100, searches_24h=2_400), _vector())
    assert steady["searches_trend_1h_24h"] == pytest.approx(0)
    surge = _derived(_vector(searches_1h=8_000, searches_24h=24_000), _vector())
    assert surge["searches_trend_1h_24h"] == pytest.approx(math.log(8), abs=1e-3)


def test_one_event_is_no_surge() -> None:
    once = dict.fromkeys([f"searches_{window}" for window in WINDOWS], 1.0)
    derived = _derived(_vector(**once), _vector())
    assert max(value for name, value in derived.items() if "trend" in name) <= math.log(2)


@pytest.mark.parametrize("newest", range(len(WINDOWS) + 1))
def test_recency_is_the_shortest_window_with_a_count(newest: int) -> None:
    counted = {f"clicks_{window}": 2.0 for window in WINDOWS[newest:]}
    derived = _derived(_vector(**counted), _vector())
    assert derived["clicks_recency"] == newest
    assert derived["purchases_recency"] == len(WINDOWS)


@given(sums.filter(len))
def test_logs_are_of_the_sums_in_their_order(matrix: np.ndarray) -> None:
    derived = derive(matrix, matrix, WINDOWS, SETTINGS)
    names = derived_names(WINDOWS)
    columns = [names.index(f"log_{name}") for name in sum_names(WINDOWS)]
    assert (derived[:, columns] == np.log1p(matrix)).all()


@pytest.mark.parametrize("names", [("1h",), ("10m", "24h", "30d"), tuple(WINDOW_LENGTHS_MS)])
def test_any_windows(names: tuple[str, ...]) -> None:
    matrix = np.ones((2, len(names) * len(METRICS)))
    assert derive(matrix, matrix, names, SETTINGS).shape == (2, len(derived_names(names)))
