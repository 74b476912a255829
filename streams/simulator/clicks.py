"""P(click) of a result that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.simulator.catalogue import Catalogue, Floats, Ints
from streams.simulator.concepts import Concepts
from streams.simulator.relevance import Fit

_BASE, _MET, _SILENT, _CONTRADICTED = -3.2, 0.7, -0.3, -1.0
_BRAND_MET, _BRAND_CONTRADICTED, _NOUN_MET = 0.35, -0.6, 0.15
_PAIR_SPREAD = 0.15


@dataclass(frozen=True)
class Clicks:
    """What makes an item attractive on sight: its pictures and reviews."""

    charm: Floats
    """Per item, in log-odds."""

    def probability(self, concepts: Concepts, pair: Fit, item: Ints, concept: Ints, taste: Floats) -> Floats:
        """P(click | looked at), i.e. at position 1, of each (item, concept); `taste` is the item's fashion."""
        odds = _BASE + self.charm[item] + concepts.lure[concept] + taste
        odds = odds + _MET * pair.met + _SILENT * pair.silent + _CONTRADICTED * pair.contradicted
        odds = odds + _BRAND_MET * pair.brand_met + _BRAND_CONTRADICTED * pair.brand_contradicted
        odds = odds + _NOUN_MET * pair.same_noun + _PAIR_SPREAD * pair_noise(item, concept)
        return np.asarray(np.where(pair.same_shelf, 1 / (1 + np.exp(-odds)), 0.0))


def make_clicks(rng: np.random.Generator, catalogue: Catalogue) -> Clicks:
    return Clicks(rng.normal(0.0, 0.45, len(catalogue)))


def pair_noise(item: Ints, concept: Ints) -> Floats:
    """A fixed logistic variable for each (item, concept): what only the pair's own counts can tell."""
    mixed = item.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + concept.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    uniform = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
    uniform = np.clip(uniform, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(uniform / (1 - uniform)))
