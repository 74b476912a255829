"""Keywords whose meaning is near the product's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scorers.retrieval.neighbours import Hit, Neighbours
from scorers.retrieval.sources.source import ItemQuery


class Dense:
    """Nearest neighbours in the index; one search for all items."""

    name = "dense"

    def __init__(self, index: Neighbours) -> None:
        self._index = index

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return self._index.neighbours(np.stack([query.text.vector for query in queries]), limit) if queries else []
