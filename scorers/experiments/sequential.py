"""Intervals that hold at all looks together, for plans declared sequential.

Asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52, 2024, equation 3 and its choice of rho): a difference whose
units arrive one after the other, each with its outcome final, lies within them at every look at once with 1 - level.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scorers.experiments.estimates import Estimate, Interval

LEAST_UNITS = 100
"""Units in both arms before the first look: the guarantee is one of large samples."""


def radius(units: NDArray[Any] | float, planned: float, level: float) -> NDArray[np.float64]:
    """Half-width in standard errors after `units`, tightest about `planned` units.

    sqrt(2 (n rho^2 + 1) / (n rho^2) log(sqrt(n rho^2 + 1) / level)) with
    rho^2 = (-2 log level + log(-2 log level + 1)) / planned.
    """
    strictness = -2 * math.log(level)
    scaled = np.asarray(units, dtype=np.float64) * (strictness + math.log(strictness + 1)) / planned
    return np.sqrt(2 * (scaled + 1) / scaled * np.log(np.sqrt(scaled + 1) / level))


def widened(estimate: Estimate, units: int, planned: float, level: float) -> Estimate:
    """The estimate with the bounds of the confidence sequence. Before `LEAST_UNITS` they exclude nothing.

    The p-value is that of the fixed test and is left out (nan): at a look it would mislead.
    """
    if units < LEAST_UNITS:
        nothing = Interval(math.nan, -math.inf, math.inf)
        absolute, relative = (replace(nothing, value=part.value) for part in (estimate.absolute, estimate.relative))
    else:
        factor = float(radius(units, planned, level)) / float(stats.norm.isf(level / 2))
        absolute = _stretched(estimate.absolute, factor)
        in_logs = Interval(*(math.log1p(part) for part in _bounds(estimate.relative)))
        relative = Interval(*(math.expm1(part) for part in _bounds(_stretched(in_logs, factor))))
    return replace(estimate, absolute=absolute, relative=relative, p_value=math.nan)


def _stretched(interval: Interval, factor: float) -> Interval:
    below, above = interval.value - interval.low, interval.high - interval.value
    return Interval(interval.value, interval.value - factor * below, interval.value + factor * above)


def _bounds(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high
