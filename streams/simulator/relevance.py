"""How well an item answers what is asked: the platform's own judgement, and the basis of clicks and purchases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulator.catalogue import BRAND, Catalogue, Floats, Ints
from streams.simulator.concepts import ASKS, Concepts

RELEVANCE_FLOOR = 0.12
"""An item below it is shown neither as organic result nor as ad: one contradicted ask passes, two do not."""
_SILENT, _CONTRADICTED = 0.6, 0.15


@dataclass(frozen=True)
class Fit:
    """For each (item, concept): how many of the asked facets the item has, leaves open and contradicts."""

    met: Ints
    silent: Ints
    contradicted: Ints
    brand_met: NDArray[np.bool_]
    brand_contradicted: NDArray[np.bool_]
    same_shelf: NDArray[np.bool_]
    same_noun: NDArray[np.bool_]

    @property
    def relevance(self) -> Floats:
        """0 to 1: 1 when the item has all that is asked, 0 on another shelf."""
        return np.asarray(np.where(self.same_shelf, _SILENT**self.silent * _CONTRADICTED**self.contradicted, 0.0))


def fit(catalogue: Catalogue, concepts: Concepts, item: Ints, concept: Ints) -> Fit:
    """The fit of each pair; `item` and `concept` have one length (or broadcast)."""
    item, concept = np.broadcast_arrays(item, concept)
    met = np.zeros(item.shape, dtype=np.int64)
    silent, contradicted = met.copy(), met.copy()
    brand_met = np.zeros(item.shape, dtype=bool)
    brand_contradicted = brand_met.copy()
    attribute_of = catalogue.vocabulary.facet_attribute
    for slot in range(ASKS):
        asked = concepts.asks[concept, slot]
        attribute = attribute_of[asked]  # of the last facet where none is asked; masked below
        has = catalogue.values[item, attribute]
        is_asked, is_brand = asked >= 0, attribute == BRAND
        meets = is_asked & (has == asked)
        denies = is_asked & (has >= 0) & (has != asked)
        met += meets
        contradicted += denies
        silent += is_asked & (has < 0)
        brand_met |= meets & is_brand
        brand_contradicted |= denies & is_brand
    same_shelf = catalogue.shelf[item] == concepts.shelf[concept]
    same_noun = catalogue.noun[item] == concepts.noun[concept]
    return Fit(met, silent, contradicted, brand_met, brand_contradicted, same_shelf, same_noun)
