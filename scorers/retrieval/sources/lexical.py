"""Keywords that share terms with the product's text: words (BM25) or their character trigrams, each a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.lexical import LexicalIndex, trigrams, words
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery


class Lexical:
    """The keywords of a catalogue, by BM25 over one kind of terms."""

    def __init__(self, name: str, analyse: Callable[[str], frozenset[str]], catalogue: KeywordCatalogue) -> None:
        self.name = name
        self._catalogue = catalogue
        self._index = LexicalIndex(analyse=analyse)

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        keywords = self._catalogue.keywords
        for keyword in keywords[len(self._index) :]:
            self._index.add(keyword.canonical)
        found = []
        for query in queries:
            hits = self._index.best(query.text.terms, limit, self._catalogue.visible(query.seller))
            found.append([(keywords[row].canonical, score) for row, score in hits])
        return found


def bm25(catalogue: KeywordCatalogue) -> Lexical:
    """Keywords whose words the product's text holds."""
    return Lexical("bm25", words, catalogue)


def ngrams(catalogue: KeywordCatalogue) -> Lexical:
    """Keywords whose words look like the text's: misspelt ones and compounds."""
    return Lexical("ngrams", trigrams, catalogue)
