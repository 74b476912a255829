"""How many units an effect takes, and what effect the units at hand can find.

The arms' variances differ: a rate that rises, or revenue that is multiplied, varies more. tea-tasting's solver takes
both arms' variance for the control's, and so promises 80 % where a rise of 18 % in revenue reaches 73 % and one of 40 %
reaches 65 %; hence our own formula, of the same normal and t theory, with a variance for each arm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import optimize, stats

from scorers.experiments.plan import Baseline, Scale

_MOST_UNITS = 1e13


@dataclass(frozen=True)
class Noise:
    """A metric before the experiment: its value, and how much one unit tells of it."""

    value: float
    variance: Callable[[float], float]
    """Variance that one unit contributes to an arm of n: the arm's variance is this / n. Of the arm's true value."""

    def reached(self, scale: Scale, effect: float) -> float:
        """The treatment's value when the effect is true."""
        return self.value * (1 + effect) if scale == "relative" else self.value + effect


def design_effect(baseline: Baseline) -> float:
    """By how much the variance of a rate grows because campaigns of one seller are alike (Kish 1965).

    1 + (m (1 + v^2) - 1) r with m campaigns a seller, v their coefficient of variation, r the correlation within.
    """
    size = baseline.campaigns_per_seller * (1 + baseline.campaigns_variation**2)
    return 1 + (size - 1) * baseline.intra_seller_correlation


def rate_noise(baseline: Baseline) -> Noise:
    """Of a rate of campaigns, clustered in sellers."""
    factor = design_effect(baseline) / baseline.campaigns_per_seller
    return Noise(baseline.rate, lambda rate: factor * rate * (1 - rate))


def mean_noise(value: float, deviation: float) -> Noise:
    """Of a mean per unit whose deviation grows with it."""
    return Noise(value, lambda mean: (deviation * mean / value) ** 2)


def power(noise: Noise, scale: Scale, effect: float, level: float, units: float, treated: float = 0.5) -> float:
    """The chance of a significant result in the effect's direction or the other, two-sided, with `units` in both arms.

    By the noncentral t with Welch's degrees of freedom. `treated` is the treatment's share of the units.
    """
    control_units, treated_units = units * (1 - treated), units * treated
    after = noise.reached(scale, effect)
    if min(control_units, treated_units) < 2 or after <= 0:
        return 0.0
    parts = (noise.variance(noise.value) / control_units, noise.variance(after) / treated_units)
    if scale == "relative":
        parts = (parts[0] / noise.value**2, parts[1] / after**2)
        distance = math.log(after / noise.value)
    else:
        distance = after - noise.value
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (control_units - 1) + parts[1] ** 2 / (treated_units - 1))
    critical = stats.t.isf(level / 2, freedom)
    if freedom > 1e5:  # the noncentral t fails for millions, where it is the normal
        return float(stats.norm.sf(critical - distance / error) + stats.norm.cdf(-critical - distance / error))
    upper, lower = (stats.nct(freedom, side * distance / error).sf(critical) for side in (1, -1))
    return float(upper + lower)


def units_needed(
    noise: Noise, scale: Scale, effect: float, level: float, wanted: float, treated: float = 0.5
) -> int | None:
    """Units in both arms together for a power of `wanted`; None when no number reaches it."""
    if power(noise, scale, effect, level, _MOST_UNITS, treated) < wanted:
        return None
    least = 4 / min(treated, 1 - treated)

    def short(log_units: float) -> float:
        return wanted - power(noise, scale, effect, level, math.exp(log_units), treated)

    if short(math.log(least)) <= 0:
        return math.ceil(least)
    return math.ceil(math.exp(optimize.brentq(short, math.log(least), math.log(_MOST_UNITS), xtol=1e-10)))


def smallest_effect(
    noise: Noise, scale: Scale, level: float, wanted: float, units: float, treated: float = 0.5, rate: bool = True
) -> float | None:
    """The smallest rise that `units` in both arms find with a power of `wanted`; None when they find none.

    A `rate` cannot rise above 1.
    """
    room = (1 - noise.value) * (1 - 1e-9) if rate else 1e3 * noise.value
    most = room / noise.value if scale == "relative" else room
    if power(noise, scale, most, level, units, treated) < wanted:
        return None
    return float(optimize.brentq(lambda effect: power(noise, scale, effect, level, units, treated) - wanted, 0, most))
