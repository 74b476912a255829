"""Sellers as cells of (campaigns, campaigns with a purchase): any number of them is drawn at once, exactly.

How many sellers fall into each cell is multinomial, and the moments of an arm follow from these counts alone: an
experiment of millions of sellers costs as much as one of hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from scorers.experiments.moments import Floats, Moments
from scorers.experiments.plan import Baseline

COLUMNS = ("campaigns", "bought")
_MOST = 40
"""Campaigns of one seller; the rest of the distribution is cut off."""


@dataclass(frozen=True)
class Cells:
    """All (campaigns, bought) that a seller may have: `values` (cells, 2), with their probabilities `share` (cells)."""

    values: Floats
    share: Floats
    baseline: Baseline
    """What the distribution amounts to."""

    def draw(self, rng: np.random.Generator, sellers: int, replicates: int) -> Moments:
        """Moments of arms of so many sellers."""
        counts = rng.multinomial(sellers, self.share, size=replicates).astype(np.float64)
        mean = counts @ self.values / sellers
        products = self.values[:, :, None] * self.values[:, None, :]
        second = np.tensordot(counts, products, axes=1)
        scatter = second - sellers * mean[:, :, None] * mean[:, None, :]
        return Moments(COLUMNS, np.full(replicates, float(sellers)), mean, scatter / (sellers - 1))


def cells(rate: float, campaigns: float, correlation: float) -> Cells:
    """Geometric campaigns of about that mean, of which beta-binomially many have a purchase."""
    sizes = np.arange(1, _MOST + 1)
    of_size = stats.geom(1 / campaigns).pmf(sizes)
    of_size /= of_size.sum()
    strength = 1 / correlation - 1
    values, share = [], []
    for size, probability in zip(sizes, of_size, strict=True):
        bought = np.arange(size + 1)
        chance = stats.betabinom(size, rate * strength, (1 - rate) * strength).pmf(bought)
        values.append(np.column_stack([np.full(size + 1, size), bought]))
        share.append(probability * chance / chance.sum())
    mean = float(sizes @ of_size)
    deviation = float(np.sqrt(sizes**2 @ of_size - mean**2))
    baseline = Baseline(
        rate=rate,
        campaigns_per_seller=mean,
        campaigns_variation=deviation / mean,
        intra_seller_correlation=correlation,
    )
    return Cells(np.concatenate(values).astype(np.float64), np.concatenate(share), baseline)
