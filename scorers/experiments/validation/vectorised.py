"""The estimates of `estimates` and `instrument` for many replicates at once; that they agree is a line of the proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scorers.experiments.metrics import Metric
from scorers.experiments.moments import Floats, Moments


@dataclass(frozen=True)
class Effects:
    """Arrays of one value a replicate."""

    absolute: Floats
    absolute_low: Floats
    absolute_high: Floats
    relative: Floats
    relative_low: Floats
    relative_high: Floats
    p_value: Floats

    def covers(self, truth: float, scale: str) -> NDArray[np.bool_]:
        """Whether the interval holds the truth."""
        low, high = getattr(self, f"{scale}_low"), getattr(self, f"{scale}_high")
        return np.asarray((low <= truth) & (truth <= high))


def ratio_covariance(moments: Moments, one: tuple[str, str | None], other: tuple[str, str | None]) -> Floats:
    """Covariance of two ratios of means, one unit's part: of the linearised units (delta method)."""
    left, right = _loadings(moments, *one), _loadings(moments, *other)
    return np.asarray(np.einsum("...i,...ij,...j->...", left, moments.covariance, right))


def ratio(moments: Moments, numerator: str, denominator: str | None) -> Floats:
    """Ratio of the means."""
    top = moments.mean[..., moments.index(numerator)]
    return np.asarray(top if denominator is None else top / moments.mean[..., moments.index(denominator)])


def effects(control: Moments, treatment: Moments, metric: Metric, level: float, cuped: bool = False) -> Effects:
    """As `estimates.estimate`, of every replicate."""
    of = (metric.numerator, metric.denominator)
    values = [ratio(arm, *of) for arm in (control, treatment)]
    variances = [ratio_covariance(arm, of, of) for arm in (control, treatment)]
    if cuped and metric.before:
        before = (metric.before, metric.denominator)
        total = control + treatment
        slope = ratio_covariance(total, of, before) / ratio_covariance(total, before, before)
        for place, arm in enumerate((control, treatment)):
            values[place] = values[place] - slope * (ratio(arm, *before) - ratio(total, *before))
            explained = slope * ratio_covariance(arm, before, before) - 2 * ratio_covariance(arm, of, before)
            variances[place] = variances[place] + slope * explained
    difference = values[1] - values[0]
    error, freedom = _welch(control, treatment, variances)
    reach = stats.t.isf(level / 2, freedom) * error
    in_logs, log_freedom = _welch(control, treatment, [v / m**2 for v, m in zip(variances, values, strict=True)])
    factor = np.exp(stats.t.isf(level / 2, log_freedom) * in_logs)
    quotient = values[1] / values[0]
    return Effects(
        difference,
        difference - reach,
        difference + reach,
        quotient - 1,
        quotient / factor - 1,
        quotient * factor - 1,
        2 * stats.t.sf(np.abs(difference) / error, freedom),
    )


def complier_covers(
    control: Moments, treatment: Moments, metric: Metric, truth: float, level: float
) -> NDArray[np.bool_]:
    """Whether the Anderson-Rubin interval of `instrument.complier_effect` holds the truth.

    It does where the outcome less `truth` times the use shows no effect of assignment.
    """
    of = (metric.numerator, metric.denominator)
    use = ("used" if metric.denominator is None else f"used_{metric.denominator}", metric.denominator)
    left = np.zeros_like(control.count)
    spread = np.zeros_like(control.count)
    for sign, arm in ((-1, control), (1, treatment)):
        left = left + sign * (ratio(arm, *of) - truth * ratio(arm, *use))
        both = ratio_covariance(arm, of, of) - 2 * truth * ratio_covariance(arm, of, use)
        spread = spread + (both + truth**2 * ratio_covariance(arm, use, use)) / arm.count
    critical = stats.t.isf(level / 2, control.count + treatment.count - 2)
    return np.asarray(np.abs(left) <= critical * np.sqrt(spread))


def _loadings(moments: Moments, numerator: str, denominator: str | None) -> Floats:
    """What one more of each column adds to the ratio of the means."""
    weights = np.zeros_like(moments.mean)
    if denominator is None:
        weights[..., moments.index(numerator)] = 1
        return weights
    below = moments.mean[..., moments.index(denominator)]
    weights[..., moments.index(numerator)] += 1 / below
    weights[..., moments.index(denominator)] -= moments.mean[..., moments.index(numerator)] / below**2
    return weights


def _welch(control: Moments, treatment: Moments, variances: list[Floats]) -> tuple[Floats, Floats]:
    """Standard error of the difference and Welch's degrees of freedom."""
    parts = [variance / arm.count for variance, arm in zip(variances, (control, treatment), strict=True)]
    total = parts[0] + parts[1]
    freedom = total**2 / (parts[0] ** 2 / (control.count - 1) + parts[1] ** 2 / (treatment.count - 1))
    return np.sqrt(total), freedom
