"""When an item can be bought: from its listing on, save while it is sold out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulator.catalogue import Catalogue, Ints

_SOLD_OUT_SHARE = 0.05


@dataclass(frozen=True)
class Stock:
    """Per item: listed since, and one sold-out interval [gone, back), empty for most. All in ms."""

    listed: Ints
    gone: Ints
    back: Ints

    def on_sale(self, item: Ints, at: Ints) -> NDArray[np.bool_]:
        """Whether each item can be bought at each moment."""
        return np.asarray((at >= self.listed[item]) & ((at < self.gone[item]) | (at >= self.back[item])))


def make_stock(rng: np.random.Generator, catalogue: Catalogue, start_ms: int, until_ms: int) -> Stock:
    """One item in twenty sells out once during the history, for about a tenth of it."""
    count = len(catalogue)
    gone = rng.integers(start_ms, until_ms, count)
    away = rng.exponential(0.1 * (until_ms - start_ms), count).astype(np.int64)
    away[rng.random(count) >= _SOLD_OUT_SHARE] = 0
    listed = np.array([product.updated_at for product in catalogue.products], dtype=np.int64)
    return Stock(listed, gone, gone + away)
