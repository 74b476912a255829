"""An experiment planned for 80 % power finds its effect in 80 % of the replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import tea_tasting as tt

from scorers.experiments.metrics import METRICS
from scorers.experiments.moments import Moments
from scorers.experiments.plan import Scale
from scorers.experiments.power import mean_noise, rate_noise, smallest_effect, units_needed
from scorers.experiments.validation.cells import cells
from scorers.experiments.validation.lines import Line, Result, Shown, count
from scorers.experiments.validation.sellers import Design, arms
from scorers.experiments.validation.vectorised import Effects, effects

LEVEL, POWER = 0.05, 0.8
RATE = METRICS["purchase_rate"]
REVENUE = METRICS["revenue"]


def reached_power(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Result]:
    """The rate at a fixed size; the 1 % default, on both readings; revenue, by both solvers."""
    scales: tuple[Scale, Scale] = ("relative", "absolute")
    for rate in (0.2, 0.05):
        base = cells(rate, campaigns=5.0, correlation=0.05)
        for scale in scales:
            effect = smallest_effect(rate_noise(base.baseline), scale, LEVEL, POWER, 2 * sellers)
            if effect is None:
                raise ArithmeticError(f"{sellers} sellers an arm find no effect on a rate of {rate}")
            note = f"{sellers} sellers an arm, effect {effect:.4f} {scale}"
            yield _rate(rng, replicates, rate, scale, effect, 2 * sellers, f"power, rate {rate:g}, {scale}", note)
    needed = {}
    for scale in scales:
        base = cells(0.05, campaigns=3.0, correlation=0.05)
        needed[scale] = units_needed(rate_noise(base.baseline), scale, 0.01, LEVEL, POWER) or 0
        note = f"{needed[scale]:,} sellers in both arms"
        yield _rate(rng, replicates, 0.05, scale, 0.01, needed[scale], f"power, the default 1 % {scale}", note, 3.0)
    yield Shown(
        "cost of 1 % relative over 1 % absolute at a rate of 5 %",
        needed["relative"] / needed["absolute"],
        "as many times more sellers",
    )
    yield from _revenue(rng, replicates, sellers)


def _rate(
    rng: np.random.Generator,
    replicates: int,
    rate: float,
    scale: Scale,
    effect: float,
    units: int,
    name: str,
    note: str,
    campaigns: float = 5.0,
) -> Line:
    before = cells(rate, campaigns, 0.05)
    after = cells(rate_noise(before.baseline).reached(scale, effect), campaigns, 0.05)
    drawn = before.draw(rng, units // 2, replicates), after.draw(rng, units - units // 2, replicates)
    return _line(name, effects(*drawn, replace(RATE, before=None), LEVEL), scale, replicates, note)


def _revenue(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Line]:
    """A rise of revenue multiplies its spread, too. tea-tasting's solver takes the spread for the same in both arms."""
    design = Design(f"{sellers} sellers an arm", sellers)
    known = _moments(rng, design)
    noise = mean_noise(*known)
    ours = smallest_effect(noise, "relative", LEVEL, POWER, 2 * sellers, rate=False)
    aggregates = Moments(("revenue",), np.array(1e6), np.array([known[0]]), np.array([[known[1] ** 2]])).aggregates()
    solver = tt.Mean("revenue", alpha=LEVEL, power=POWER, n_obs=2 * sellers, alternative="two-sided")
    theirs = solver.solve_power_from_aggregates(aggregates, "rel_effect_size")[0].rel_effect_size
    for name, effect in (("ours", ours), ("tea-tasting's", theirs)):
        if effect is None:
            raise ArithmeticError(f"{sellers} sellers an arm find no effect on revenue")
        control, treatment = arms(rng, design, replicates)
        found = effects(control, _multiplied(treatment, "revenue", 1 + effect), REVENUE, LEVEL)
        note = f"{design.name}, effect {effect:.3f} relative"
        line = _line(f"power, revenue, effect solved by {name}", found, "relative", replicates, note)
        yield line if name == "ours" else replace(line, should="below", note=note + "; equal variances assumed")


def _moments(rng: np.random.Generator, design: Design) -> tuple[float, float]:
    """Mean and deviation of a seller's revenue, from very many sellers."""
    arm, _ = arms(rng, replace(design, sellers=2_000), 250)
    at = arm.index("revenue")
    mean = float(arm.mean[:, at].mean())
    return mean, float(np.sqrt(arm.covariance[:, at, at].mean()))


def _multiplied(moments: Moments, column: str, factor: float) -> Moments:
    """Moments when every unit's value of a column is multiplied."""
    scaling = np.ones(len(moments.columns))
    scaling[moments.index(column)] = factor
    covariance = moments.covariance * scaling[:, None] * scaling[None, :]
    return Moments(moments.columns, moments.count, moments.mean * scaling, covariance)


def _line(name: str, found: Effects, scale: Scale, replicates: int, note: str) -> Line:
    low: np.ndarray = getattr(found, f"{scale}_low")
    high: np.ndarray = getattr(found, f"{scale}_high")
    hits = count((low > 0) | (high < 0))
    return Line(name, "equal", POWER, hits, replicates, note)
