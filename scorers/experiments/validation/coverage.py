"""A 95 % interval holds the truth in 95 % of the replicates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scorers.experiments.metrics import METRICS
from scorers.experiments.validation.lines import Line, count
from scorers.experiments.validation.sellers import Design, arms, expected
from scorers.experiments.validation.vectorised import complier_covers, effects

LEVEL = 0.05


def coverage(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Line]:
    """Difference, ratio and CUPED on sellers who all gain; the complier effect on sellers who choose."""
    rate, mean = METRICS["purchase_rate"], METRICS["purchases_per_campaign"]
    gaining = Design(f"{sellers} sellers an arm, all gain 20 %", sellers, treated_lift=0.2)
    control, treatment = arms(rng, gaining, replicates)
    truths = {
        rate: (gaining.rate, gaining.bought(1.2)),
        mean: (gaining.purchases, 1.2 * gaining.purchases),
    }
    for metric, (without, lifted) in truths.items():
        for cuped in (False, True):
            found = effects(control, treatment, metric, LEVEL, cuped)
            with_pre = " with CUPED" if cuped else ""
            for scale, truth in (("absolute", lifted - without), ("relative", lifted / without - 1)):
                hits = count(found.covers(truth, scale))
                what = "difference" if scale == "absolute" else "ratio"
                yield _line(f"coverage, {what} of {metric.name}{with_pre}", hits, replicates, gaining.name)
    for name, uptake in (("strong", (0.05, 0.35)), ("weak", (0.05, 0.08))):
        note = f"{sellers} sellers an arm, {uptake[1]:.0%} use, {uptake[0]:.0%} unasked"
        design = Design(note, sellers, uptake=uptake, lift=0.5)
        nothing, offered = (expected(rng, design, treated) for treated in (False, True))
        gained, use = (
            offered[column] / offered["campaigns"] - nothing[column] / nothing["campaigns"]
            for column in ("bought", "used_campaigns")
        )
        control, treatment = arms(rng, design, replicates)
        hits = count(complier_covers(control, treatment, rate, gained / use, LEVEL))
        yield _line(f"coverage, complier effect, {name} instrument", hits, replicates, design.name)


def _line(name: str, hits: int, replicates: int, note: str) -> Line:
    return Line(name, "equal", 1 - LEVEL, hits, replicates, note)
