"""Keywords that shoppers of the item's category search more than they used to."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from feature_repo.vectors import split_entity
from infra.clock import Clock
from infra.settings import DAY_MS
from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery
from scorers.suggestions.growth import growth
from streams.contracts.messages import Signal

MAX_AGE_MS = DAY_MS
"""A rise is forgotten after this long."""
_SMOOTHING = 5.0
"""Searches added to both sides of a ratio, so that 3 instead of 1 is no surge."""
_MIN_GROWTH = 1.25
_MAX_PER_CATEGORY = 500


class Rising:
    """Growth of searches per category and keyword: seeded from the table's last day, kept up by signals.

    Of the risen keywords an item is offered the most similar ones among those that grew: score = growth x similarity.
    """

    name = "rising"

    def __init__(self, catalogue: KeywordCatalogue, clock: Clock, days: float = 0.0) -> None:
        """`days`: length of the history that the catalogue's volumes stand for; 0 seeds nothing."""
        self._catalogue = catalogue
        self._clock = clock
        self._risen: dict[str, dict[str, tuple[float, int]]] = {}
        if days > 1:
            for keyword in catalogue.keywords:
                before = (keyword.volume - keyword.volume_last_day) / (days - 1)
                self._note(keyword, growth(float(keyword.volume_last_day), before, _SMOOTHING), clock.now_ms())

    def observe(self, signal: Signal) -> None:
        """Take note when searches of a keyword moved. The catalogue must know it."""
        kind, canonical = split_entity(signal.entity)
        keyword = self._catalogue.get(canonical) if kind == "keyword" and signal.metric == "searches" else None
        if keyword:
            self._note(keyword, growth(float(signal.after), float(signal.before), _SMOOTHING), self._clock.now_ms())

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return [self._find(query, limit) for query in queries]

    def _find(self, query: ItemQuery, limit: int) -> list[Hit]:
        oldest = self._clock.now_ms() - MAX_AGE_MS
        risen = {
            canonical: grown
            for canonical, (grown, at) in self._risen.get(query.product.category, {}).items()
            if at >= oldest
        }
        similarities = self._catalogue.similarity(query.text.vector, risen).tolist()
        scored = (
            (canonical, grown * max(near, 0.0))
            for (canonical, grown), near in zip(risen.items(), similarities, strict=True)
        )
        return heapq.nsmallest(limit, scored, key=lambda hit: (-hit[1], hit[0]))

    def _note(self, keyword: Keyword, grown: float, at: int) -> None:
        in_category = self._risen.setdefault(keyword.category, {})
        if grown < _MIN_GROWTH:
            in_category.pop(keyword.canonical, None)
            return
        in_category[keyword.canonical] = (grown, at)
        if len(in_category) > _MAX_PER_CATEGORY:
            weakest = min(in_category, key=lambda canonical: (in_category[canonical][1], in_category[canonical][0]))
            del in_category[weakest]
