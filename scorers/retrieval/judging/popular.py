"""Keywords that shoppers search most in the item's category, or anywhere: what a retriever has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery


class Popular:
    """By searches in the keyword table's history; the catalogue as it stood when this was made."""

    def __init__(self, catalogue: KeywordCatalogue, everywhere: bool = False) -> None:
        """`everywhere`: whatever the item's category, for comparison."""
        self.name = "popular_everywhere" if everywhere else "popular"
        self._everywhere = everywhere
        self._ordered: dict[str, list[Hit]] = {}
        for keyword in sorted(_searched(catalogue), key=lambda one: (-one.volume, one.canonical)):
            hit = (keyword.canonical, float(keyword.volume))
            self._ordered.setdefault("" if everywhere else keyword.category, []).append(hit)

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return [self._ordered.get("" if self._everywhere else query.product.category, [])[:limit] for query in queries]


def _searched(catalogue: KeywordCatalogue) -> list[Keyword]:
    """Those with searches that anyone may see."""
    return [one for one, seen in zip(catalogue.keywords, catalogue.public, strict=True) if seen and one.volume]
