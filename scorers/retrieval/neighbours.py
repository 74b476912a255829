"""Nearest keywords of a vector: what a dense index answers, and the exact answer in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue

Hit = tuple[str, float]
"""Canonical keyword and its score."""


class Neighbours(Protocol):
    """Finds the keywords nearest to vectors."""

    @property
    def version(self) -> str:
        """Which keywords and which encoder: answers of one version agree."""
        ...

    def neighbours(self, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        """For each row (length 1) up to `limit` keywords by cosine, best first."""
        ...

    def fetch(self, canonicals: Sequence[str]) -> tuple[list[Keyword], NDArray[np.float32]]:
        """Those of the keywords that the index holds, with their vectors, n x dimension."""
        ...


class ExactNeighbours:
    """Exact search over the public keywords of a catalogue in memory.

    For evaluation, on the keywords that were known at an earlier time.
    """

    def __init__(self, catalogue: KeywordCatalogue, version: str) -> None:
        self._catalogue = catalogue
        self.version = version

    def neighbours(self, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        keywords = self._catalogue.keywords
        public = np.flatnonzero(self._catalogue.public)
        limit = min(limit, len(public))
        if not limit:
            return [[] for _ in vectors]
        matrix = self._catalogue.vectors[public].astype(np.float32)
        hits: list[list[Hit]] = []
        for start in range(0, len(vectors), 256):
            for scores in vectors[start : start + 256] @ matrix.T:
                rows = np.argpartition(-scores, limit - 1)[:limit]
                rows = rows[np.lexsort((rows, -scores[rows]))]
                hits.append([(keywords[public[row]].canonical, float(scores[row])) for row in rows])
        return hits

    def fetch(self, canonicals: Sequence[str]) -> tuple[list[Keyword], NDArray[np.float32]]:
        return self._catalogue.fetch(canonicals)
