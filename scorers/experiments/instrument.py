"""The effect of *using* suggestions: assignment as the instrument.

Sellers choose whether to use what they are shown, so users differ from others before they use anything. Assignment is
random; if it acts on sales only by way of use (the exclusion assumption), effect of assignment / effect of assignment
on use is the mean effect on those who use because they were assigned (Imbens and Angrist 1994). The interval holds
every effect that the Anderson-Rubin test (1949) does not reject, and so stays honest when few follow the assignment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from scorers.experiments.metrics import Metric
from scorers.experiments.moments import Moments

LEAST_F = 10.0
"""Below it the instrument is weak (Staiger and Stock 1997), and a point estimate is worth nothing."""

EXCLUSION = (
    "It is assumed that assignment changes sales only through the use of suggestions: not by sellers who merely see "
    "the list and change a bid, nor by rivals who lose auctions to users."
)


@dataclass(frozen=True)
class ComplierEffect:
    """The effect of use on those who use because they were assigned, on the metric's own scale.

    The interval is [low, high]; with `outside` it is everything *but* ]low, high[, and with both infinite all numbers:
    the data then exclude nothing.
    """

    value: float | None
    """None when `first_stage_f` is below `LEAST_F`."""
    low: float
    high: float
    outside: bool
    first_stage_f: float
    used_control: float
    used_treatment: float


def complier_effect(control: Moments, treatment: Moments, metric: Metric, level: float) -> ComplierEffect:
    """Complier average effect on a metric; a unit's use counts for all its campaigns (column `used`)."""
    arms = (_linear(control, metric), _linear(treatment, metric))
    outcome, use = (arms[1][k] - arms[0][k] for k in (0, 1))
    v_outcome, v_use, v_both = (arms[0][k] + arms[1][k] for k in (2, 3, 4))
    freedom = float(control.count + treatment.count - 2)
    critical = stats.t.isf(level / 2, freedom) ** 2
    low, high, outside = anderson_rubin(outcome, use, v_outcome, v_use, v_both, critical)
    f = math.inf if v_use == 0 and use != 0 else (use**2 / v_use if v_use > 0 else 0.0)
    value = outcome / use if f >= LEAST_F else None
    return ComplierEffect(value, low, high, outside, f, arms[0][1], arms[1][1])


def anderson_rubin(
    outcome: float, use: float, v_outcome: float, v_use: float, v_both: float, critical: float
) -> tuple[float, float, bool]:
    """All b with (outcome - b use)^2 <= critical Var(outcome - b use): low, high, whether it is what lies outside."""
    a = use**2 - critical * v_use
    b = -2 * (outcome * use - critical * v_both)
    c = outcome**2 - critical * v_outcome
    root = b**2 - 4 * a * c
    if a == 0 or root < 0:
        return -math.inf, math.inf, False
    ends = sorted(((-b - math.sqrt(root)) / (2 * a), (-b + math.sqrt(root)) / (2 * a)))
    return float(ends[0]), float(ends[1]), bool(a < 0)


def _linear(moments: Moments, metric: Metric) -> tuple[float, float, float, float, float]:
    """An arm's outcome and use per denominator, and their variances and covariance (delta method)."""
    aggregates: Any = _with_use(moments, metric).aggregates()
    of = (metric.numerator, metric.denominator)
    use = ("use", metric.denominator)
    count = float(moments.count)
    return (
        aggregates.mean(of[0]) / aggregates.mean(of[1]),
        aggregates.mean(use[0]) / aggregates.mean(use[1]),
        aggregates.ratio_var(*of) / count,
        aggregates.ratio_var(*use) / count,
        aggregates.ratio_cov(*of, *use) / count,
    )


def _with_use(moments: Moments, metric: Metric) -> Moments:
    """Numerator, denominator and the column of use that fits it, under the names that `_linear` reads."""
    source = "used" if metric.denominator is None else f"used_{metric.denominator}"
    names = [name for name in (metric.numerator, metric.denominator) if name]
    at = np.array([moments.index(name) for name in (*names, source)])
    return Moments((*names, "use"), moments.count, moments.mean[at], moments.covariance[np.ix_(at, at)])
