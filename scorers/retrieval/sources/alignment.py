"""Keywords that a title aligns with, the way of GraphEx.

Mishra et al., "GraphEx: A Graph-based Extraction Method for Advertiser Keyphrase Recommendation", ICDE 2025. Each leaf
category has a bipartite graph of words and the keywords that hold them, made from searches and not from clicks. A
title's words lead to keywords; c of a keyword's n words are in the title. Keywords with more words in common are taken
first, group by group, until there are enough; those taken are ordered by label-title alignment c / (n - c + 1), then by
searches. Unlike there, a product without a category, or whose category has no graph, is offered all keywords.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery
from streams.canonical import form_words
from streams.normal_form import normal_form

_ALL = ""


class Alignment:
    """Label-title alignment over one graph per category."""

    name = "alignment"

    def __init__(self, catalogue: KeywordCatalogue) -> None:
        self._catalogue = catalogue
        self._graphs: dict[str, _Graph] = {_ALL: _Graph()}
        self._known = 0

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        self._learn()
        keywords = self._catalogue.keywords
        found = []
        for query in queries:
            graph = self._graphs.get(query.product.category) or self._graphs[_ALL]
            hits = graph.aligned(normal_form(query.product.title).split(), limit, self._catalogue.visible(query.seller))
            found.append([(keywords[row].canonical, score) for row, score in hits])
        return found

    def _learn(self) -> None:
        for row in range(self._known, len(self._catalogue)):
            keyword = self._catalogue.keywords[row]
            for category in (_ALL, keyword.category):
                self._graphs.setdefault(category, _Graph()).add(row, form_words(keyword.canonical), keyword.volume)
        self._known = len(self._catalogue)


class _Graph:
    """Words and the keywords that hold them; keywords are numbered here, `rows` says where they stand elsewhere."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._sizes = array("q")
        self._searches = array("q")
        self._holding: dict[str, array[int]] = {}

    def add(self, row: int, words: Sequence[str], searches: int) -> None:
        for word in words:
            self._holding.setdefault(word, array("q")).append(len(self._rows))
        self._rows.append(row)
        self._sizes.append(len(words))
        self._searches.append(searches)

    def aligned(self, title: Sequence[str], limit: int, allowed: NDArray[np.bool_]) -> list[tuple[int, float]]:
        """Rows and alignments of the best keywords, best first. `allowed`: of each row, whether it may be found."""
        edges = [np.frombuffer(self._holding[word], np.int64) for word in dict.fromkeys(title) if word in self._holding]
        if not edges:
            return []
        numbers, common = np.unique(np.concatenate(edges), return_counts=True)
        may = allowed[np.array(self._rows)[numbers]]
        numbers, common = numbers[may], common[may]
        taken = common >= _fewest_in_common(common, limit)
        numbers, common = numbers[taken], common[taken]
        sizes, searches = np.array(self._sizes)[numbers], np.array(self._searches)[numbers]
        alignment = common / (sizes - common + 1)
        best = np.lexsort((numbers, -searches, -alignment))[:limit]
        return [(self._rows[number], float(alignment[at])) for at, number in zip(best, numbers[best], strict=True)]


def _fewest_in_common(common: NDArray[np.int64], limit: int) -> int:
    """How many words a keyword must share so that at least `limit` are taken, if there are so many."""
    at_least = np.cumsum(np.bincount(common)[::-1])[::-1]
    enough = np.flatnonzero(at_least >= limit)
    return int(enough[-1]) if len(enough) else 1
