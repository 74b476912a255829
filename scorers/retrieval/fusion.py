"""One list out of several: reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009: score = sum over sources of 1 / (k + rank), k = 60. Only ranks count, so scores need no common scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorers.retrieval.neighbours import Hit

K = 60


class Found(NamedTuple):
    """How one source found a keyword."""

    score: float
    rank: int
    """1 is the source's best."""


class Fused(NamedTuple):
    """A keyword with the sources that found it."""

    canonical: str
    score: float
    found: dict[str, Found]


def fuse(lists: Mapping[str, Sequence[Hit]]) -> list[Fused]:
    """Each canonical keyword once, best first; of equals the first in the alphabet. `lists`: source -> its hits."""
    found: dict[str, dict[str, Found]] = {}
    for source, hits in lists.items():
        for rank, (canonical, score) in enumerate(hits, start=1):
            found.setdefault(canonical, {}).setdefault(source, Found(score, rank))
    fused = [
        Fused(canonical, sum(1 / (K + one.rank) for one in by_source.values()), by_source)
        for canonical, by_source in found.items()
    ]
    return sorted(fused, key=lambda one: (-one.score, one.canonical))
