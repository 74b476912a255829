"""One list out of several: reciprocal rank fusion, less what a keyword says and the product does not.

Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009: score = sum over sources of weight / (k + rank), k = 60 and weights 1 there. Only ranks count, so scores
need no common scale.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from scorers.retrieval.neighbours import Hit
from streams.canonical import form_words

K = 60
UNSAID = 0.8
"""What is left of a keyword's score for each of its words that the product's text does not say: of sources' votes for
"red boots" some are for "boots" alone."""
EQUAL: Mapping[str, float] = {}
WEIGHTS: Mapping[str, float] = {"dense": 3.0, "bm25": 2.0, "alignment": 0.5, "rising": 0.5}
"""With `UNSAID`, what finds most of the true best on two simulated markets and loses nothing on a real catalogue, with
two towers and with the untuned model: docs/models.md has the figures."""


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


def fuse(
    lists: Mapping[str, Sequence[Hit]],
    weights: Mapping[str, float] = EQUAL,
    said: Container[str] | None = None,
) -> list[Fused]:
    """Each canonical keyword once, best first; of equals the first in the alphabet.

    `lists`: source -> its hits, best first. `weights`: of sources; one that is missing has weight 1. `said`: words of
    the product's text in normal form; a keyword's score falls by `UNSAID` for each of its words that is not among them.
    """
    found: dict[str, dict[str, Found]] = {}
    votes: dict[str, float] = {}
    for source, hits in lists.items():
        weight = weights.get(source, 1.0)
        for rank, (canonical, score) in enumerate(hits, start=1):
            by_source = found.setdefault(canonical, {})
            if source not in by_source:
                by_source[source] = Found(score, rank)
                votes[canonical] = votes.get(canonical, 0.0) + weight / (K + rank)
    if said is not None:
        for canonical in votes:
            for word in form_words(canonical):
                if word not in said:
                    votes[canonical] *= UNSAID
    fused = [Fused(canonical, score, found[canonical]) for canonical, score in votes.items()]
    return sorted(fused, key=lambda one: (-one.score, one.canonical))


def fuse_each(answers: Mapping[str, Sequence[Sequence[Hit]]], said: Sequence[Container[str]]) -> list[list[Fused]]:
    """For each of n queries its lists fused as they are served, by `WEIGHTS`.

    `answers`: source -> of each query its hits. `said`: of each query as in `fuse`, n.
    """
    return [
        fuse({source: hits[row] for source, hits in answers.items()}, WEIGHTS, words) for row, words in enumerate(said)
    ]
