"""P(purchase | click), and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.settings import MINUTE_MS
from streams.simulator.catalogue import Catalogue, Floats, Ints
from streams.simulator.concepts import Concepts
from streams.simulator.relevance import Fit

_BASE, _MET, _SILENT, _CONTRADICTED, _BRAND_MET, _BRAND_CONTRADICTED = -1.3, 0.35, -0.15, -0.9, 0.3, -0.6
_PRICE = 1.6
MEDIAN_DELAY_MS, LONGEST_DELAY_MS = 12 * MINUTE_MS, 20 * 60 * MINUTE_MS
_DELAY_SPREAD = 1.2
LIVE_HASTE = 40.0
"""How many times sooner purchases follow in the warm-up, and live unless asked otherwise: a short run sees them."""


@dataclass(frozen=True)
class Purchases:
    """What makes a clicked item sell: its quality, its price against what the keyword's shoppers look for."""

    quality: Floats
    """Per item, in log-odds; apart from its charm, so that some items are clicked and not bought."""

    def probability(self, catalogue: Catalogue, concepts: Concepts, pair: Fit, item: Ints, concept: Ints) -> Floats:
        """P(purchase | click) = P(the shopper means to buy) x P(this item will do)."""
        off = catalogue.relative_price[item] - concepts.price_taste[concept]
        odds = _BASE + self.quality[item] - _PRICE * off**2
        odds = odds + _MET * pair.met + _SILENT * pair.silent + _CONTRADICTED * pair.contradicted
        odds = odds + _BRAND_MET * pair.brand_met + _BRAND_CONTRADICTED * pair.brand_contradicted
        return np.asarray(np.where(pair.same_shelf, concepts.buying[concept] / (1 + np.exp(-odds)), 0.0))


def make_purchases(rng: np.random.Generator, catalogue: Catalogue) -> Purchases:
    return Purchases(rng.normal(0.0, 0.5, len(catalogue)))


def delays(rng: np.random.Generator, count: int) -> Ints:
    """ms from click to purchase: log-normal, a median of minutes, hours at most."""
    delay = MEDIAN_DELAY_MS * np.exp(rng.normal(0.0, _DELAY_SPREAD, count))
    return np.asarray(np.minimum(delay, LONGEST_DELAY_MS)).astype(np.int64)
