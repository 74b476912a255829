"""Keywords that shoppers search most, in all or in the item's category: what a retriever must beat."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery


class Popular:
    """By searches in the keyword table's history; the catalogue as it stood when this was made."""

    def __init__(self, catalogue: KeywordCatalogue, in_category: bool) -> None:
        self.name = "popular_in_category" if in_category else "popular"
        self._in_category = in_category
        self._ordered: dict[str, list[Hit]] = {}
        public = [keyword for keyword, seen in zip(catalogue.keywords, catalogue.public, strict=True) if seen]
        for keyword in sorted(public, key=lambda one: (-one.volume, one.canonical)):
            hit = (keyword.canonical, float(keyword.volume))
            self._ordered.setdefault(keyword.category if in_category else "", []).append(hit)

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return [self._ordered.get(query.product.category if self._in_category else "", [])[:limit] for query in queries]
