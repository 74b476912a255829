"""Retrieval judged on a simulated market: how many of an item's truly best keywords each source finds.

Judged are the items of campaigns created after `until`; sources stand as they stood then, the adopted one is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infra.settings import Settings
from scorers.evaluation.heldout import POOL, generator_as_of, held_out_campaigns
from scorers.history import History
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.retrieval.candidates import CandidateGenerator, ItemRequest
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.fusion import fuse_each
from scorers.retrieval.judging.measures import Estimate, Floats, estimate, recall
from scorers.retrieval.judging.popular import Popular
from scorers.retrieval.judging.truth import true_top
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery

DEPTHS = (50, 100, 200)
Lists = list[list[Hit]]
"""For each judged item the hits of one source, best first."""


@dataclass(frozen=True)
class JudgedItems:
    """Items with their truly best concepts."""

    requests: list[ItemRequest]
    campaigns: list[str]
    """Of each item; what intervals are resampled by."""
    best: list[set[str]]
    concepts: Mapping[str, str]
    """Canonical keyword -> concept."""

    def recalls(self, lists: Lists, depth: int) -> Floats:
        """Of each item, the share of its best concepts among the first `depth` keywords."""
        named = [[self.concepts.get(canonical, canonical) for canonical, _ in hits[:depth]] for hits in lists]
        return np.array([recall(found, best, depth) for found, best in zip(named, self.best, strict=True)])

    def estimates(self, lists: Lists) -> dict[str, Estimate]:
        """Recall at each depth."""
        return {f"recall@{depth}": estimate(self.recalls(lists, depth), self.campaigns) for depth in DEPTHS}


class RetrievalAsOf:
    """All sources of a history as of `until`, with one encoder, asked once for the judged items."""

    def __init__(
        self, history: History, until: int, known: EmbeddedKeywords, encoder: Encoder, settings: Settings
    ) -> None:
        generator, _ = generator_as_of(history, until, known, encoder, settings)
        self.catalogue = generator.catalogue
        self.items = judged_items(history, until, generator)
        queries = generator.read(self.items.requests)
        self._said = [query.text.terms for query in queries]
        asked = [source for source in generator.sources if source.name != "adopted"]
        self.lists: dict[str, Lists] = {source.name: source.find(queries, POOL) for source in asked}
        self.baselines = _baselines(generator, queries)

    def fused(self, without: str = "") -> Lists:
        """The lists of all sources but `without`, fused as they are served."""
        asked = {name: found for name, found in self.lists.items() if name != without}
        return [[(one.canonical, one.score) for one in ones] for ones in fuse_each(asked, self._said)]


def judged_items(history: History, until: int, generator: CandidateGenerator) -> JudgedItems:
    """Items of the campaigns created after `until` whose truth is known.

    Raises:
        NoTruth: the history has none.
    """
    campaigns = held_out_campaigns(history, until)
    products = {product.item: product for product in history.products}
    top = true_top(history.folder, {item for one in campaigns for item in one.items})
    judged = [
        (ItemRequest(products[item], one.seller), one.campaign, top.best[item])
        for one in campaigns
        for item in one.items
        if item in products and item in top.best
    ]
    return JudgedItems(
        [request for request, *_ in judged],
        [campaign for _, campaign, _ in judged],
        [best for *_, best in judged],
        top.concepts(generator.catalogue.keywords),
    )


def _baselines(generator: CandidateGenerator, queries: Sequence[ItemQuery]) -> dict[str, Lists]:
    catalogue = generator.catalogue
    rng = np.random.default_rng(7)
    drawn = [rng.permutation(len(catalogue))[:POOL] for _ in queries]
    random = [[(catalogue.keywords[row].canonical, 0.0) for row in rows.tolist()] for rows in drawn]
    popular = [Popular(catalogue, everywhere=True), Popular(catalogue)]
    return {"random": random} | {source.name: source.find(queries, POOL) for source in popular}
