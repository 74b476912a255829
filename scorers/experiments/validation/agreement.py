"""The vectorised formulas say what the library says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scorers.experiments.estimates import estimate
from scorers.experiments.instrument import complier_effect
from scorers.experiments.metrics import METRICS
from scorers.experiments.moments import Moments
from scorers.experiments.validation.lines import Agreement
from scorers.experiments.validation.sellers import Design, arms
from scorers.experiments.validation.vectorised import complier_covers, effects

SAMPLES = 100
LEVEL = 0.05


def agreement(rng: np.random.Generator, replicates: int, sellers: int) -> Iterator[Agreement]:
    """The greatest relative difference over `SAMPLES` (fewer in a small proof), all metrics, with and without CUPED."""
    design = Design(f"{sellers} sellers an arm", sellers, uptake=(0.05, 0.35), lift=0.5)
    samples = min(SAMPLES, replicates // 20)
    control, treatment = arms(rng, design, samples)
    worst, torn = 0.0, 0
    truth = 0.1
    for sample in range(samples):
        pair = _one(control, sample), _one(treatment, sample)
        for metric in METRICS.values():
            for cuped in (False, True):
                theirs, ours = estimate(*pair, metric, LEVEL, cuped), effects(*pair, metric, LEVEL, cuped)
                figures = (
                    (theirs.absolute.low, ours.absolute_low),
                    (theirs.absolute.high, ours.absolute_high),
                    (theirs.relative.low, ours.relative_low),
                    (theirs.relative.high, ours.relative_high),
                    (theirs.p_value, ours.p_value),
                )
                worst = max([worst, *(abs(one - float(other)) / max(abs(one), 1e-9) for one, other in figures)])
        found = complier_effect(*pair, METRICS["purchase_rate"], LEVEL)
        inside = (found.low <= truth <= found.high) != found.outside
        torn += inside != bool(complier_covers(*pair, METRICS["purchase_rate"], truth, LEVEL))
    note = f"{samples} samples of {design.name}"
    yield Agreement("vectorised estimates against tea-tasting, relative difference", 1e-9, worst, note)
    yield Agreement("complier intervals against the test they invert, disagreements", 0, float(torn), note)


def _one(moments: Moments, sample: int) -> Moments:
    return Moments(moments.columns, moments.count[sample], moments.mean[sample], moments.covariance[sample])
