"""A/A: nothing is different, and so 5 % of the tests may say that something is. Ignoring the clusters, far more do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from scorers.experiments.estimates import adjusted
from scorers.experiments.metrics import METRICS
from scorers.experiments.moments import Moments
from scorers.experiments.validation.cells import cells
from scorers.experiments.validation.lines import Line, count
from scorers.experiments.validation.sellers import Design, arms
from scorers.experiments.validation.vectorised import effects

LEVEL = 0.05


def error_rates(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Line]:
    """Every metric, plain and with the pre-period; the primary at a sparse rate; many metrics at once; no clusters."""
    design = Design(f"{sellers} sellers an arm", sellers, uptake=(0.2, 0.2))
    control, treatment = arms(rng, design, replicates)
    p_values = {}
    for metric in METRICS.values():
        for cuped in (False, True) if metric.before else (False,):
            found = effects(control, treatment, metric, LEVEL, cuped)
            p_values[metric.name, cuped] = found.p_value
            name = f"A/A, {metric.name}{' with CUPED' if cuped else ''}"
            yield _line(name, count(found.p_value < LEVEL), replicates, design.name)

    rate = replace(METRICS["purchase_rate"], before=None)
    alike = cells(rate=0.2, campaigns=5.0, correlation=0.2)
    pair = [alike.draw(rng, sellers, replicates) for _ in range(2)]
    note = f"{sellers} sellers an arm, rate .2, correlation .2"
    right = effects(pair[0], pair[1], rate, LEVEL)
    yield _line("A/A, purchase_rate, campaigns of a seller much alike", count(right.p_value < LEVEL), replicates, note)
    wrong = effects(_unclustered(pair[0]), _unclustered(pair[1]), rate, LEVEL)
    note += "; shown to fail"
    yield Line("A/A, the same ignoring the clusters", "above", LEVEL, count(wrong.p_value < LEVEL), replicates, note)

    secondary = ["purchases_per_campaign", "clicks_per_seller", "conversion", "adoption"]
    drawn = np.stack([p_values[name, False] for name in secondary], axis=1)
    any_found = sum(
        min(adjusted(dict(zip(secondary, row, strict=True)), LEVEL).values()) < LEVEL for row in drawn.tolist()
    )
    yield Line("A/A, any of 4 secondary metrics after Holm", "at most", LEVEL, any_found, replicates, design.name)

    sparse = cells(rate=0.05, campaigns=5.0, correlation=0.1)
    pair = [sparse.draw(rng, sellers, replicates) for _ in range(2)]
    found = effects(pair[0], pair[1], rate, LEVEL)
    note = f"{sellers} sellers an arm, rate .05, correlation .1"
    yield _line("A/A, purchase_rate at a rate of 5 %", count(found.p_value < LEVEL), replicates, note)


def _line(name: str, hits: int, replicates: int, note: str) -> Line:
    return Line(name, "equal", LEVEL, hits, replicates, note)


def _unclustered(moments: Moments) -> Moments:
    """What an arm's moments would be if each campaign were a unit: a mean of zeros and ones."""
    campaigns = moments.mean[:, moments.index("campaigns")] * moments.count
    rate = moments.mean[:, moments.index("bought")] / moments.mean[:, moments.index("campaigns")]
    mean = np.stack([np.ones_like(rate), rate], axis=1)
    covariance = np.zeros((len(rate), 2, 2))
    covariance[:, 1, 1] = rate * (1 - rate)
    return Moments(("campaigns", "bought"), campaigns, mean, covariance)
