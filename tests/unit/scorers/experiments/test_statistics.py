"""Estimates, intervals and sizes, against the library, against theory and against each other."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import tea_tasting as tt
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scorers.experiments.estimates import NothingToEstimate, adjusted, estimate
from scorers.experiments.instrument import anderson_rubin, complier_effect
from scorers.experiments.metrics import METRICS
from scorers.experiments.moments import Moments
from scorers.experiments.plan import Baseline
from scorers.experiments.power import design_effect, mean_noise, power, rate_noise, smallest_effect, units_needed
from scorers.experiments.sequential import LEAST_UNITS, radius, widened
from scorers.experiments.units import COLUMNS, exposed, moments, unit_sums
from tests.unit.scorers.experiments.synthetic import plan, tables

OF = plan()
SUMS = unit_sums(OF, (DRAWN := tables(OF, sellers=1_000, lift=1.0)), exposed(OF, DRAWN, 10**13))
CONTROL, TREATMENT = moments(SUMS, "control"), moments(SUMS, "suggestions")
RATE = METRICS["purchase_rate"]


def test_moments_of_two_samples_are_those_of_both() -> None:
    values = np.random.default_rng(1).normal(size=(40, 3))
    together = Moments.of("abc", values[:15]) + Moments.of("abc", values[15:])
    direct = Moments.of("abc", values)
    assert np.allclose(together.mean, direct.mean)
    assert np.allclose(together.covariance, direct.covariance)


def test_estimates_are_those_of_the_library_on_the_units_themselves() -> None:
    variant = (pl.col("arm") == "suggestions").cast(pl.Int64)
    frame = SUMS.with_columns(variant=variant, held=pl.col("campaigns"))  # it takes no column twice
    theirs = tt.Experiment(
        rate=tt.RatioOfMeans("bought", "campaigns", "bought_before", "held", equal_var=False)
    ).analyze(frame)["rate"]
    ours = estimate(CONTROL, TREATMENT, RATE, 0.05, cuped=True)
    assert ours.relative.low == pytest.approx(theirs.rel_effect_size_ci_lower)
    assert ours.p_value == pytest.approx(theirs.pvalue)


def test_the_pre_period_narrows_the_interval() -> None:
    metric = METRICS["purchases_per_campaign"]
    plain, less = (estimate(CONTROL, TREATMENT, metric, 0.05, cuped) for cuped in (False, True))
    assert less.absolute.high - less.absolute.low < plain.absolute.high - plain.absolute.low


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((5, 2)), "is 0 for every unit"),
        (np.ones((5, 2)), "is the same for every unit"),
        (np.ones((1, 2)), r"has 1 exposed unit\(s\)"),
    ],
)
def test_nothing_is_estimated_from_nothing(values: np.ndarray, told: str) -> None:
    columns = ("bought", "campaigns")
    if len(values) > 1:
        arm = Moments.of(columns, values)
    else:
        arm = Moments(columns, np.array(1.0), values[0], np.full((2, 2), np.nan))
    with pytest.raises(NothingToEstimate, match=f"purchase_rate: .*{told}"):
        estimate(arm, arm, RATE, 0.05)


def test_adjusted_p_values_are_holms() -> None:
    assert adjusted({"a": 0.01, "b": 0.02, "c": 0.5}, 0.05) == pytest.approx({"a": 0.03, "b": 0.04, "c": 0.5})
    assert adjusted({}, 0.05) == {}


def test_the_interval_of_use_holds_what_its_test_does_not_reject() -> None:
    found = complier_effect(CONTROL, TREATMENT, RATE, 0.05)
    assert found.value is not None
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(
        (estimate(CONTROL, TREATMENT, RATE, 0.05).absolute.value) / (found.used_treatment - found.used_control)
    )


finite = st.floats(-2, 2)
variance = st.floats(0.01, 2)


@given(finite, finite, variance, variance, st.floats(-0.99, 0.99), st.floats(-50, 50))
@settings(max_examples=300)
def test_anderson_rubin_is_the_inversion_of_its_test(
    outcome: float, use: float, v_outcome: float, v_use: float, correlation: float, effect: float
) -> None:
    v_both = correlation * math.sqrt(v_outcome * v_use)
    low, high, outside = anderson_rubin(outcome, use, v_outcome, v_use, v_both, 3.84)
    left = (outcome - effect * use) ** 2
    right = 3.84 * (v_outcome - 2 * effect * v_both + effect**2 * v_use)
    if abs(left - right) > 1e-6 * (1 + abs(left)):
        assert ((low <= effect <= high) != outside) == (left <= right)


def test_a_weak_instrument_gives_no_point_and_an_honest_interval() -> None:
    mixed = SUMS.with_columns(arm=pl.Series(np.where(np.arange(len(SUMS)) % 2, "control", "suggestions")))
    found = complier_effect(moments(mixed, "control"), moments(mixed, "suggestions"), RATE, 0.05)
    assert found.first_stage_f < 10
    assert found.value is None


def test_the_sequence_is_wider_than_the_fixed_interval_and_tightest_near_the_plan() -> None:
    fixed = estimate(CONTROL, TREATMENT, RATE, 0.05)
    at_look = widened(fixed, 1_000, 1_000, 0.05)
    assert at_look.relative.low < fixed.relative.low < fixed.relative.high < at_look.relative.high
    assert math.isnan(at_look.p_value)
    units = np.array([100.0, 1_000, 10_000])
    # per unit of information, a sequence planned for 1,000 is narrower there than ones planned for more or fewer
    for other in (100.0, 10_000.0):
        assert radius(units, 1_000, 0.05)[1] < radius(units, other, 0.05)[1]
    early = widened(fixed, LEAST_UNITS - 1, 1_000, 0.05)
    assert (early.absolute.low, early.relative.high) == (-math.inf, math.inf)


def test_the_design_effect_is_one_without_correlation_or_with_one_campaign_each() -> None:
    assert design_effect(Baseline(intra_seller_correlation=0)) == 1
    assert design_effect(Baseline(campaigns_per_seller=1, campaigns_variation=0, intra_seller_correlation=0.5)) == 1
    assert design_effect(Baseline(campaigns_per_seller=5, campaigns_variation=0, intra_seller_correlation=0.1)) == 1.4


@given(st.floats(0.02, 0.6), st.sampled_from(["relative", "absolute"]), st.floats(0.02, 0.3), st.floats(0.5, 0.95))
@settings(max_examples=60, deadline=None)
def test_size_power_and_smallest_effect_agree(rate: float, scale: str, effect: float, wanted: float) -> None:
    noise = rate_noise(Baseline(rate=rate))
    units = units_needed(noise, scale, effect, 0.05, wanted)  # type: ignore[arg-type]
    assert units is not None
    if units > 100:
        assert power(noise, scale, effect, 0.05, units) == pytest.approx(wanted, abs=0.01)  # type: ignore[arg-type]
        assert power(noise, scale, effect, 0.05, units) >= wanted - 1e-6  # type: ignore[arg-type]
        found = smallest_effect(noise, scale, 0.05, wanted, units)  # type: ignore[arg-type]
        assert found == pytest.approx(effect, rel=0.02)


def test_the_textbook_size_for_two_means() -> None:
    noise = mean_noise(10.0, 2.0)
    z = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    expected = 4 * z**2 * (2.0 / 0.1) ** 2
    assert units_needed(noise, "absolute", 0.1, 0.05, 0.8) == pytest.approx(expected, rel=0.02)


def test_all_columns_have_moments() -> None:
    assert CONTROL.columns == COLUMNS
