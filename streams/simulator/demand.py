"""How often each concept is searched at each moment: seasons, hours, trends, shifting tastes, surges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.settings import DAY_MS, HOUR_MS
from streams.simulator.catalogue import Catalogue, Floats, Ints
from streams.simulator.concepts import Concepts

_NIGHT = (0.45, 0.3, 0.22, 0.18, 0.18, 0.25, 0.45, 0.7)
_DAY = (0.95, 1.1, 1.2, 1.25, 1.3, 1.25, 1.2, 1.2, 1.2, 1.25)
_EVENING = (1.35, 1.55, 1.7, 1.65, 1.3, 0.82)
_HOUR_SHARES = np.array((*_NIGHT, *_DAY, *_EVENING))
"""Searches by hour of the day (UTC) over their mean: quiet nights, an evening peak."""


@dataclass(frozen=True)
class Demand:
    """Intensities are relative: 1 is the mean of all searches together."""

    concepts: Concepts
    season: Floats
    """Per concept, the strength of its yearly swing."""
    peak: Ints
    """Per concept, the day of the year of its season's height."""
    swing: Floats
    """Per concept, the strength of its own slow trend, in log."""
    period_ms: Floats
    phase: Floats
    taste_swing: Floats
    """Per facet, the strength of the drift of tastes, in log."""
    taste_phase: Floats
    taste_period_ms: Floats
    surges: list[tuple[int, int, int, float]]
    """(concept, from ms, to ms, factor)."""

    def facet_taste(self, at: Ints) -> Floats:
        """moments x facets: how much each facet is in fashion, in log."""
        angle = 2 * np.pi * at[:, None] / self.taste_period_ms + self.taste_phase
        return np.asarray(self.taste_swing * np.sin(angle))

    def intensity(self, at: Ints) -> Floats:
        """moments x concepts: searches, relative to the mean of all concepts together."""
        day = (at[:, None] / DAY_MS) % 365.25
        hours = _HOUR_SHARES[(at // HOUR_MS) % 24][:, None]
        season = 1 + self.season * np.cos(2 * np.pi * (day - self.peak) / 365.25)
        trend = self.swing * np.sin(2 * np.pi * at[:, None] / self.period_ms + self.phase)
        facets = np.concatenate([self.facet_taste(at), np.zeros((len(at), 1))], axis=1)
        taste = facets[:, self.concepts.asks].sum(axis=2)  # an ask of -1 takes the last column: none
        intensity = self.concepts.weight * hours * season * np.exp(trend + taste)
        for concept, begins, ends, factor in self.surges:
            intensity[(at >= begins) & (at < ends), concept] *= factor
        return np.asarray(intensity)

    def steps(self, start_ms: int, until_ms: int, step_ms: int) -> tuple[Ints, Floats]:
        """Beginnings of the steps that cover [start, until); steps x concepts: intensity times the hours covered."""
        begins = np.arange(start_ms // step_ms * step_ms, until_ms, step_ms)
        covered = np.minimum(begins + step_ms, until_ms) - np.maximum(begins, start_ms)
        return begins, self.intensity(begins + step_ms // 2) * (covered / HOUR_MS)[:, None]


def make_demand(
    rng: np.random.Generator, catalogue: Catalogue, concepts: Concepts, start_ms: int, until_ms: int
) -> Demand:
    """Seasons of the shelves; a fifth of the concepts trend; some two surges a day during the history."""
    count, facets = len(concepts), len(catalogue.vocabulary.facets)
    on_shelf = concepts.shelf >= 0
    season = np.array([shelf.season for shelf in catalogue.shelves])[concepts.shelf]
    peak = np.array([shelf.peak for shelf in catalogue.shelves])[concepts.shelf]
    days = (until_ms - start_ms) / DAY_MS
    surges = []
    for _ in range(rng.poisson(2 * days)):
        begins = int(rng.integers(start_ms, until_ms))
        lasts = int(rng.uniform(0.5, 4) * HOUR_MS)
        surges.append((int(rng.choice(np.flatnonzero(on_shelf))), begins, begins + lasts, float(rng.uniform(3, 12))))
    return Demand(
        concepts,
        np.where(on_shelf, season, 0.0),
        peak,
        np.where(rng.random(count) < 0.2, rng.uniform(0.2, 0.9, count), 0.0),
        rng.uniform(8, 60, count) * DAY_MS,
        rng.uniform(0, 2 * np.pi, count),
        rng.uniform(0.0, 0.3, facets),
        rng.uniform(0, 2 * np.pi, facets),
        rng.uniform(10, 60, facets) * DAY_MS,
        surges,
    )
