"""The effect of an arm on a metric, with its interval and p-value, by tea-tasting.

Difference and relative effect of a ratio of means by the delta method (Deng, Knoblich and Lu 2018), variance reduction
by the pre-period (CUPED: Deng, Xu, Kohavi and Walker 2013), Welch's degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import tea_tasting as tt
from scipy import stats
from tea_tasting.experiment import ExperimentResult

from infra.failure import Failure
from scorers.experiments.metrics import Metric
from scorers.experiments.moments import Moments

_NO_SPREAD = 1e-12
"""What rounding leaves of a variance of 0."""


class NothingToEstimate(Failure):
    """The outcomes hold no information about a metric."""

    exit_code = 2


@dataclass(frozen=True)
class Interval:
    """A point and the bounds around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Treatment against control on one metric."""

    metric: Metric
    control: float
    treatment: float
    absolute: Interval
    relative: Interval
    """Of the control's value: 0.01 is one percent more."""
    p_value: float
    adjusted: bool
    """Whether the pre-period was used (CUPED)."""

    def on(self, scale: str) -> Interval:
        """The effect on the scale (`relative` or `absolute`) that the plan names."""
        return self.relative if scale == "relative" else self.absolute


def estimate(control: Moments, treatment: Moments, metric: Metric, level: float, cuped: bool = False) -> Estimate:
    """The effect on a metric at a two-sided `level`; with `cuped`, less what the pre-period explains.

    Raises:
        NothingToEstimate: an arm has fewer than two units, or the metric is 0 or has no spread in an arm.
    """
    _check(control, treatment, metric)
    before = metric.before if cuped else None
    before_units = metric.denominator if before else None
    method = tt.RatioOfMeans(
        metric.numerator,
        metric.denominator,
        before,
        before_units,
        alternative="two-sided",
        confidence_level=1 - level,
        equal_var=False,
        use_t=True,
    )
    found = method.analyze_aggregates(control.aggregates(), treatment.aggregates())
    return Estimate(
        metric,
        float(found.control),
        float(found.treatment),
        _interval(found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper),
        _interval(found.rel_effect_size, found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper),
        float(found.pvalue),
        before is not None,
    )


def _interval(value: float, low: float, high: float) -> Interval:
    """Of plain floats; the library's are of a type of its own."""
    return Interval(float(value), float(low), float(high))


def adjusted(p_values: dict[str, float], level: float) -> dict[str, float]:
    """P-values by metric, adjusted so that the chance of any false finding among them keeps `level` (Holm 1979)."""
    if not p_values:
        return {}
    results = ExperimentResult({name: {"pvalue": p_value} for name, p_value in p_values.items()})
    found = tt.adjust_fwer(results, alpha=level, method="bonferroni", arbitrary_dependence=True)
    return {row["metric"]: min(1.0, row["pvalue_adj"]) for row in found.to_dicts()}


def power_at(interval: Interval, effect: float, critical: float) -> float:
    """The chance that an experiment whose interval of `critical` standard errors is so wide finds a true `effect`."""
    error = (interval.high - interval.low) / 2 / critical
    return float(stats.norm.sf(critical - abs(effect) / error))


def _check(control: Moments, treatment: Moments, metric: Metric) -> None:
    for arm, moments in (("control", control), ("treatment", treatment)):
        if moments.count < 2:
            raise NothingToEstimate(
                f"{metric.name}: the {arm} arm has {int(moments.count)} exposed unit(s); an error needs two at least"
            )
        for column in filter(None, (metric.numerator, metric.denominator)):
            if not moments.mean[moments.index(column)] > 0:
                raise NothingToEstimate(
                    f"{metric.name}: {column} is 0 for every unit of the {arm} arm, so that there is no rate to "
                    "compare; wait for outcomes, or check that events reach the tables"
                )
    spreads = [arm.aggregates().ratio_var(metric.numerator, metric.denominator) for arm in (control, treatment)]
    if not sum(spreads) > _NO_SPREAD:
        raise NothingToEstimate(f"{metric.name}: is the same for every unit of both arms, so that there is no error")
