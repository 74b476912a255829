"""Keywords whose words the product's text holds."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery


class Lexical:
    """BM25 over words and character trigrams."""

    name = "lexical"

    def __init__(self, catalogue: KeywordCatalogue) -> None:
        self._catalogue = catalogue

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        keywords = self._catalogue.keywords
        return [
            [(keywords[row].canonical, score) for row, score in self._catalogue.lexical.best(query.text.terms, limit)]
            for query in queries
        ]
