"""Hard negatives: keywords near a product, by the towers as they are, under which nobody clicked it.

The very nearest keywords are left out. Shoppers have tried few of an item's good keywords, so most of those are good
ones that nobody came across: on a simulated market, where the truth is known, 80 % of the first 50.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scorers.training.towers.pairs import Ints, Pairs

Matrix = NDArray[np.float32]

NEAREST, FARTHEST = 200, 600
"""Hard negatives are drawn between these ranks."""
_CHUNK = 512


class KnownPairs:
    """Tells which (product, keyword) belong together."""

    def __init__(self, pairs: Pairs, keywords: int) -> None:
        self._keywords = keywords
        self._keys = np.unique(pairs.product * keywords + pairs.keyword)

    def of(self, products: Ints) -> tuple[Ints, Ints]:
        """Known pairs of some products (each once, ascending): their place in `products`, and the keyword."""
        place = np.searchsorted(products, self._keys // self._keywords)
        mine = products[np.minimum(place, len(products) - 1)] == self._keys // self._keywords
        return place[mine], (self._keys % self._keywords)[mine]

    def among(self, products: Ints, keywords: Ints) -> NDArray[np.bool_]:
        """Of arrays that broadcast against each other."""
        return np.isin(products * self._keywords + keywords, self._keys)


def hard_negatives(
    products: Matrix, keywords: Matrix, known: KnownPairs, drawn: int, rng: np.random.Generator
) -> tuple[Ints, int]:
    """For each product `drawn` keywords, and out of how many they were drawn.

    Args:
        products: n x d, rows of length 1; `keywords`: m x d likewise.
    """
    first, last = min(NEAREST, len(keywords) // 4), min(FARTHEST, len(keywords))
    chosen = np.zeros((len(products), drawn), np.int64)
    for start in range(0, len(products), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(products)))
        scores = products[rows] @ keywords.T
        near = np.argpartition(-scores, last - 1, axis=1)[:, :last]
        order = np.argsort(-np.take_along_axis(scores, near, axis=1), axis=1)
        pool = np.take_along_axis(near, order, axis=1)[:, first:]
        # Drawn without repetition; those that belong to the product come last.
        lots = rng.random(pool.shape) + 2.0 * known.among(rows[:, np.newaxis], pool)
        chosen[rows] = np.take_along_axis(pool, np.argsort(lots, axis=1)[:, :drawn], axis=1)
    return chosen, last - first
