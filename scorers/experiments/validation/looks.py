"""Looking every day: the confidence sequence keeps its level over all looks, the fixed interval does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from scorers.experiments.moments import Floats
from scorers.experiments.power import Noise, smallest_effect
from scorers.experiments.sequential import LEAST_UNITS, radius
from scorers.experiments.units import COLUMNS
from scorers.experiments.validation.lines import Line, Result, Shown
from scorers.experiments.validation.sellers import Design, arms, draw
from scorers.experiments.validation.vectorised import ratio_covariance

LEVEL = 0.05
DAYS = 28


def looks(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Result]:
    """A/A and an effect; sellers arrive evenly over 28 days, a look each day from `LEAST_UNITS` on."""
    a_day = max(1, sellers // DAYS)
    null = Design("null", a_day * DAYS)
    at, error = _paths(rng, null, replicates, a_day)
    bound = radius(at, at[-1], LEVEL)
    note = f"{null.sellers} sellers an arm over {DAYS} days, {len(at)} looks"
    crossed = np.abs(error) > bound
    yield Line("daily looks, false positives of the sequence", "at most", LEVEL, _any(crossed), replicates, note)
    peeked = np.abs(error) > stats.norm.isf(LEVEL / 2)
    yield Line(
        "daily looks at a fixed interval", "above", 2 * LEVEL, _any(peeked), replicates, "naive peeking; " + note
    )
    yield _planned_power(rng, replicates, a_day)
    gaining = Design("gaining", a_day * DAYS, treated_lift=0.5)
    at, error = _paths(rng, gaining, replicates, a_day)
    found = error > radius(at, at[-1], LEVEL)
    first = at[np.argmax(found, axis=1)][found.any(axis=1)]
    share = float(first.mean() / at[-1]) if len(first) else 1.0
    note = f"found in {_any(found)} of {replicates}"
    yield Shown("daily looks, share of the units until an effect of 50 % is found", share, note)


def _planned_power(rng: np.random.Generator, replicates: int, a_day: int) -> Line:
    """The effect that a sequential plan of so many sellers finds with 80 % at its last look is found at some look."""
    strict = 2 * float(stats.norm.sf(radius(1.0, 1.0, LEVEL)))
    design = Design("planned", a_day * DAYS)
    factor = _factor(rng, design, strict)
    at, error = _paths(rng, replace(design, treated_lift=factor - 1), replicates, a_day)
    found = error > radius(at, at[-1], LEVEL)
    note = f"{design.sellers} sellers an arm, rates times {factor:.3f}; looks before the last add to it"
    return Line("daily looks, power where 80 % was planned", "at least", 0.8, _any(found), replicates, note)


def _factor(rng: np.random.Generator, design: Design, level: float) -> float:
    """By which all rates must be multiplied for the purchase rate to rise as much as can be found."""
    many, _ = arms(rng, replace(design, sellers=2_000), 100)
    of = ("bought", "campaigns")
    spread = float(ratio_covariance(many, of, of).mean()) / (design.rate * (1 - design.rate))
    noise = Noise(design.rate, lambda rate: spread * rate * (1 - rate))
    rise = smallest_effect(noise, "absolute", level, 0.8, 2 * design.sellers)
    if rise is None:
        raise ArithmeticError(f"{design.sellers} sellers an arm find no effect")
    return float(optimize.brentq(lambda factor: design.bought(factor) - design.rate - rise, 1, 10))


def _paths(rng: np.random.Generator, design: Design, replicates: int, a_day: int) -> tuple[Floats, Floats]:
    """Units seen at each look (looks), and the difference of purchase rates in standard errors (replicates, looks)."""
    parts = []
    for pair in zip(draw(rng, design, replicates, False), draw(rng, design, replicates, True), strict=True):
        (without, noise), (offered, more) = (_running_rate(arm, a_day) for arm in pair)
        parts.append(np.asarray((offered - without) / np.sqrt(noise + more)))
    units = 2 * a_day * np.arange(1, DAYS + 1, dtype=np.float64)
    late = units >= LEAST_UNITS
    return units[late], np.concatenate(parts)[:, late]


def _running_rate(arm: Floats, a_day: int) -> tuple[Floats, Floats]:
    """The rate of all sellers so far at each look, and its variance (delta method): each (replicates, looks)."""
    held, bought = arm[..., COLUMNS.index("campaigns")], arm[..., COLUMNS.index("bought")]

    def running(values: Floats) -> Floats:
        return np.asarray(np.cumsum(values, axis=1)[:, a_day - 1 :: a_day])

    count = a_day * np.arange(1, DAYS + 1)
    below, rate = running(held), running(bought) / running(held)
    squares = running(bought**2) - 2 * rate * running(bought * held) + rate**2 * running(held**2)
    return rate, np.asarray(squares * count / (count - 1) / below**2)


def _any(crossed: NDArray[np.bool_]) -> int:
    """Replicates in which any look crossed."""
    return int(np.count_nonzero(crossed.any(axis=1)))
