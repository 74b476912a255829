"""One list out of several: reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009: score = sum over sources of weight / (k + rank), k = 60 and weights 1 there. Only ranks count, so scores
need no common scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scorers.retrieval.neighbours import Hit

K = 60
EQUAL: Mapping[str, float] = {}
MEASURED: Mapping[str, float] = {
    "dense": 4.0,
    "popular": 4.0,
    "bm25": 2.0,
    "alignment": 0.5,
    "rising": 0.5,
    "ngrams": 0.25,
}
"""Found on one simulated market, confirmed on two others: docs/decisions/fusion-weights.md. Judged, not served yet."""


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


def fuse(lists: Mapping[str, Sequence[Hit]], weights: Mapping[str, float] = EQUAL) -> list[Fused]:
    """Each canonical keyword once, best first; of equals the first in the alphabet.

    `lists`: source -> its hits, best first. `weights`: of sources; one that is missing has weight 1.
    """
    found: dict[str, dict[str, Found]] = {}
    for source, hits in lists.items():
        for rank, (canonical, score) in enumerate(hits, start=1):
            found.setdefault(canonical, {}).setdefault(source, Found(score, rank))
    fused = [
        Fused(canonical, sum(weights.get(name, 1.0) / (K + one.rank) for name, one in by_source.items()), by_source)
        for canonical, by_source in found.items()
    ]
    return sorted(fused, key=lambda one: (-one.score, one.canonical))
