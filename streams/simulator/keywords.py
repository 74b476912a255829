"""Raw keywords: every text that shoppers type, the concept it truly stands for, and how often it is the one typed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.simulator.catalogue import Floats, Ints
from streams.simulator.concepts import Concepts
from streams.simulator.spelling import variant

CANONICAL_SHARE = 0.5
"""Share of a concept's searches that are typed in its canonical form; its variants share the rest by rank."""


@dataclass(frozen=True)
class Keywords:
    """K raw texts, grouped by concept, the canonical text first."""

    text: list[str]
    concept: Ints
    first: Ints
    """Per concept, the place of its canonical text."""
    cumulative: Floats
    """concept + cumulated share within the concept: one search finds the text for (concept, uniform number)."""

    def __len__(self) -> int:
        return len(self.text)

    def typed(self, rng: np.random.Generator, concept: Ints) -> Ints:
        """A raw text, by its place, for each search of a concept."""
        wanted = concept + rng.random(len(concept))
        return np.minimum(np.searchsorted(self.cumulative, wanted, side="right"), len(self) - 1)


def make_keywords(rng: np.random.Generator, concepts: Concepts, count: int) -> Keywords:
    """`count` different texts, fewer where the concepts allow no more; frequent concepts are written in more ways."""
    ways: list[list[str]] = [[text] for text in concepts.text]
    owner = {text: place for place, text in enumerate(concepts.text)}
    weight = np.sqrt(concepts.weight) * (concepts.shelf >= 0)
    for _ in range(6):
        missing = count - len(owner)
        if missing <= 0:
            break
        for concept in rng.choice(len(concepts), size=int(1.3 * missing) + 1, p=weight / weight.sum()).tolist():
            text = variant(rng, concepts.text[concept])
            if text not in owner and len(owner) < count:
                owner[text] = concept
                ways[concept].append(text)
    return _grouped(ways)


def _grouped(ways: list[list[str]]) -> Keywords:
    texts = [text for group in ways for text in group]
    sizes = np.array([len(group) for group in ways])
    concept = np.repeat(np.arange(len(ways)), sizes)
    first = np.cumsum(sizes) - sizes
    rank = np.arange(len(texts)) - first[concept]
    share = np.where(rank == 0, CANONICAL_SHARE, (1 - CANONICAL_SHARE) / np.maximum(rank, 1))
    variants = np.bincount(concept, np.where(rank > 0, share, 0.0))
    scale = np.divide(1 - CANONICAL_SHARE, variants, out=np.zeros(len(ways)), where=variants > 0)
    share = np.where(rank == 0, np.where(sizes[concept] == 1, 1.0, CANONICAL_SHARE), share * scale[concept])
    total = np.cumsum(share)
    within = total - (total[first] - share[first])[concept]
    return Keywords(texts, concept, first, concept + np.minimum(within, 1.0))
