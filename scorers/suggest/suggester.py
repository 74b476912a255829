"""Keywords for many products at once: sources fused, what is said and what sells weighed in.

    score = fused x 1/2 for each word that the product does not say x (1 + searches)^0.2 x sqrt(1 + bought)

`fused` is the reciprocal rank fusion of the sources as a share of the most it can be, `searches` how often the keyword
is searched (1 + 0 where that is not known), `bought` the clicks and purchases after it of this product and those like
it. So without any history a score of 1 is a keyword that every source puts first, in the product's own words. The
factors' powers are measured (docs/data.md); scores compare within a product.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scorers.ranking.wording import lacks, statement
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.fusion import Fused, K, fuse
from scorers.retrieval.matching import Matcher
from scorers.retrieval.neighbours import ExactNeighbours
from scorers.retrieval.sources.alignment import Alignment
from scorers.retrieval.sources.dense import Dense
from scorers.retrieval.sources.lexical import bm25, ngrams
from scorers.retrieval.sources.source import ItemQuery, Source
from scorers.retrieval.text import matching_text
from scorers.suggest.bought import Bought
from streams.contracts.messages import ProductState
from streams.normal_form import EMPTY, normal_form

CANDIDATES = 100
"""Most keywords that one source gives a product."""
UNSAID = 0.5
LEAST_RELEVANCE = 0.2
"""A keyword is left out whose score would be less without the last two factors: a short list of keywords that fit is
better than a long one. It keeps 97-99 % of the relevant ones of three markets and catalogues: docs/data.md."""
_POPULARITY = 0.2
_EVIDENCE = 0.5
_AT_ONCE = 256
"""Products of one matrix product: 256 x 10,000 similarities take 10 MB."""


@dataclass(frozen=True)
class Suggester:
    """All that suggestions are made from."""

    catalogue: KeywordCatalogue
    matcher: Matcher
    floor: float
    """A keyword less similar than this is suggested only if the product says all its words."""
    bought: Bought | None = None

    def suggest(
        self, products: Sequence[ProductState], top: int, progress: Callable[[int, int], None] = lambda done, all_: None
    ) -> pl.DataFrame:
        """The best `top` keywords of each product; none for one without a word.

        Columns: product_id, keyword, canonical, rank (from 1), score, similarity (cosine), and score and rank of each
        source, null where it did not find the keyword.
        """
        sources = self._sources()
        names = [*(source.name for source in sources), *([BOUGHT] if self.bought else [])]
        rows: list[dict[str, Any]] = []
        for start in range(0, len(products), _AT_ONCE):
            rows += self._some(
                [product for product in products[start : start + _AT_ONCE] if says_anything(product)], sources, top
            )
            progress(min(start + _AT_ONCE, len(products)), len(products))
        return pl.DataFrame(rows, _columns(names))

    def _sources(self) -> list[Source]:
        catalogue = self.catalogue
        dense = Dense(ExactNeighbours(catalogue, "table"))
        return [dense, bm25(catalogue), ngrams(catalogue), Alignment(catalogue)]

    def _some(self, products: Sequence[ProductState], sources: Sequence[Source], top: int) -> Iterator[dict[str, Any]]:
        texts = self.matcher.read(products)
        queries = [ItemQuery(product, product.seller, text) for product, text in zip(products, texts, strict=True)]
        answers = {source.name: source.find(queries, CANDIDATES) for source in sources}
        strengths = self.bought.strengths(queries) if self.bought else None
        if self.bought and strengths is not None:
            answers[BOUGHT] = [self.bought.best(of_one, CANDIDATES) for of_one in strengths]
        for row, query in enumerate(queries):
            fused = fuse({name: hits[row] for name, hits in answers.items()})
            demand = self._demand(fused, None if strengths is None else strengths[row])
            yield from self._best(query, fused, len(answers), demand, top)

    def _demand(self, fused: Sequence[Fused], strengths: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """By how much each keyword's score is raised because it is searched, and sells the like."""
        keywords = self.catalogue.fetch([one.canonical for one in fused])[0]
        raised = (1.0 + np.array([keyword.volume for keyword in keywords])) ** _POPULARITY
        if self.bought and strengths is not None:
            raised *= (1 + self.bought.of(strengths, [one.canonical for one in fused])) ** _EVIDENCE
        return raised

    def _best(
        self, query: ItemQuery, fused: Sequence[Fused], sources: int, demand: NDArray[np.float64], top: int
    ) -> Iterator[dict[str, Any]]:
        similarities = self.catalogue.similarity(query.text.vector, [one.canonical for one in fused]).tolist()
        product = statement(query.product)
        scored = []
        for one, raised, similarity in zip(fused, demand.tolist(), similarities, strict=True):
            unsaid, _ = lacks(product, one.canonical, {})
            relevance = one.score * (K + 1) / sources * UNSAID**unsaid
            if relevance >= LEAST_RELEVANCE and (similarity >= self.floor or not unsaid):
                scored.append((-relevance * raised, one.canonical, one, similarity))
        for rank, (score, canonical, one, similarity) in enumerate(heapq.nsmallest(top, scored), start=1):
            keyword = self.catalogue.get(canonical)
            yield {
                "product_id": query.product.item,
                "keyword": keyword.text if keyword else canonical,
                "canonical": canonical,
                "rank": rank,
                "score": -score,
                "similarity": similarity,
            } | {
                f"{source}_{what}": value
                for source, found in one.found.items()
                for what, value in found._asdict().items()
            }


BOUGHT = "bought"


def says_anything(product: ProductState) -> bool:
    """Whether the product's text holds a word."""
    return normal_form(matching_text(product)) != EMPTY


def _columns(sources: Sequence[str]) -> dict[str, type[pl.DataType]]:
    found = {
        f"{source}_{what}": kind for source in sources for what, kind in (("score", pl.Float64), ("rank", pl.Int64))
    }
    return {
        "product_id": pl.String,
        "keyword": pl.String,
        "canonical": pl.String,
        "rank": pl.Int64,
        "score": pl.Float64,
        "similarity": pl.Float64,
    } | found
