"""Retrieval judged on real text: at which place a product's first relevant keyword comes, and how many come early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infra.clock import ManualClock
from infra.settings import Settings
from scorers.keywords.table import Keyword
from scorers.retrieval.candidates import CandidateGenerator, ItemRequest
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.fusion import fuse_each
from scorers.retrieval.judging.measures import Estimate, Floats, estimate, recall, reciprocal_rank
from scorers.retrieval.judging.real_text import KINDS, RealText
from scorers.retrieval.neighbours import ExactNeighbours

DEPTH = 20
TOLERATED = 0.005
"""Loss of MRR that promotion puts up with."""
_ASKED = ("dense", "bm25", "ngrams", "alignment")
"""The others need events, of which a catalogue has none."""


@dataclass(frozen=True)
class Ranked:
    """The canonical keywords of each judged product in a retriever's order, best first."""

    real: RealText
    lists: list[list[str]]
    """For every product, in the order of `real.products`."""

    def reciprocal_ranks(self, kinds: Sequence[str] = KINDS) -> Floats:
        """Of each product that has a relevant keyword of these kinds; its other relevant ones hold no place."""
        return np.array([reciprocal_rank(found, of) for found, of in self._judged(kinds)])

    def recalls(self, kinds: Sequence[str] = KINDS) -> Floats:
        """As `reciprocal_ranks`."""
        return np.array([recall(found, of, DEPTH) for found, of in self._judged(kinds)])

    def _judged(self, kinds: Sequence[str]) -> list[tuple[list[str], set[str]]]:
        products = zip(self.lists, self.real.of_kinds(kinds), self.real.of_kinds(), strict=True)
        return [([one for one in found if one in of or one not in every], of) for found, of, every in products if of]

    def makers(self, kinds: Sequence[str] = KINDS) -> list[str]:
        """Of each product that has a relevant keyword."""
        return [maker for maker, of in zip(self.real.makers, self.real.of_kinds(kinds), strict=True) if of]

    def estimates(self) -> dict[str, Estimate]:
        """MRR, by kind of keyword too, and recall."""
        found = {"mrr": estimate(self.reciprocal_ranks(), self.makers())}
        for kind in KINDS:
            found[f"mrr, {kind}"] = estimate(self.reciprocal_ranks([kind]), self.makers([kind]))
        return found | {f"recall@{DEPTH}": estimate(self.recalls(), self.makers())}


def ranked_by_sources(real: RealText, encoder: Encoder, of_catalogue: Encoder, settings: Settings) -> dict[str, Ranked]:
    """By each source that needs no events, and fused as they are served; products are embedded by `encoder`, keywords
    by `of_catalogue`."""
    keywords = [Keyword(canonical=canonical, text=text) for canonical, text in real.texts.items()]
    catalogue = KeywordCatalogue(keywords, of_catalogue.encode([keyword.text for keyword in keywords]))
    generator = CandidateGenerator(settings, encoder, catalogue, ExactNeighbours(catalogue, "real"), ManualClock(0))
    queries = generator.read([ItemRequest(product, product.seller) for product in real.products])
    sources = [source for source in generator.sources if source.name in _ASKED]
    hits = {source.name: source.find(queries, len(keywords)) for source in sources}
    ranked = {
        name: Ranked(real, [[canonical for canonical, _ in row] for row in found]) for name, found in hits.items()
    }
    fused = fuse_each(hits, [query.text.terms for query in queries])
    return ranked | {"fused": Ranked(real, [[one.canonical for one in row] for row in fused])}


def not_worse(new: Ranked, old: Ranked, tolerated: float = TOLERATED) -> tuple[Estimate, bool]:
    """MRR of new - old, and whether its lower bound is above minus `tolerated`: what promotion asks for."""
    difference = estimate(new.reciprocal_ranks() - old.reciprocal_ranks(), new.makers())
    return difference, difference.low >= -tolerated
