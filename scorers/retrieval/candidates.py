"""Candidates for items: every source asked, the answers fused, each keyword once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import split_entity
from infra.clock import Clock
from infra.settings import Settings
from scorers.keywords.table import Keyword, may_show
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.fusion import Found, Fused, fuse
from scorers.retrieval.lexical import text_terms
from scorers.retrieval.neighbours import Neighbours
from scorers.retrieval.sources.adopted import Adopted
from scorers.retrieval.sources.co_searched import CoSearched
from scorers.retrieval.sources.dense import Dense
from scorers.retrieval.sources.lexical import Lexical
from scorers.retrieval.sources.remembered import Remembered
from scorers.retrieval.sources.rising import Rising
from scorers.retrieval.sources.source import ItemQuery, Source
from scorers.retrieval.text import matching_text, product_text
from streams.messages import ProductState, Signal
from streams.normal_form import EMPTY, normal_form


@dataclass(frozen=True)
class Candidate:
    """A keyword that might sell an item."""

    keyword: Keyword
    dense: float
    """Cosine of product and keyword, whichever source found it."""
    lexical: float
    """Share of the keyword's words, weighted by rarity, that the product's text holds."""
    fused: float
    found: dict[str, Found]
    """By source: its score and rank."""

    @property
    def canonical(self) -> str:
        """The keyword's canonical form."""
        return self.keyword.canonical


@dataclass(frozen=True)
class ItemRequest:
    """An item of a campaign for which candidates are wanted."""

    product: ProductState
    seller: str
    """Who will see them."""
    adopted: tuple[str, ...] = ()
    """The campaign's keywords as the seller typed them."""


class CandidateGenerator:
    """All sources over one catalogue. Not thread-safe."""

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        catalogue: KeywordCatalogue,
        index: Neighbours,
        clock: Clock,
        pairs: Iterable[tuple[str, str, int, int]] = (),
        days: float = 0.0,
    ) -> None:
        """`pairs`: item, canonical, clicks, purchases so far; `days`: length of the history behind the catalogue."""
        self._settings = settings
        self._encoder = encoder
        self.catalogue = catalogue
        self._index = index
        self.co_searched = CoSearched(pairs)
        self.rising = Rising(catalogue, clock, days)
        self.sources: list[Source] = [
            Remembered(Dense(index), lambda: index.version, clock),
            Remembered(Lexical(catalogue), lambda: index.version, clock),
            self.co_searched,
            self.rising,
            Adopted(),
        ]
        self._texts: dict[str, _Text] = {}

    @property
    def index_version(self) -> str:
        """Version of the index that dense candidates come from."""
        return self._index.version

    def observe(self, signals: Sequence[Signal]) -> None:
        """Keep the live sources up to date. A keyword that shoppers search and we lack is looked up in the index."""
        searched = {key for signal in signals if signal.metric == "searches" and (key := _keyword_of(signal))}
        lacking = [canonical for canonical in sorted(searched) if not self.catalogue.is_public(canonical)]
        if lacking:
            self.catalogue.add(*self._index.fetch(lacking))
        for signal in signals:
            self.co_searched.observe(signal)
            self.rising.observe(signal)

    def for_items(self, requests: Sequence[ItemRequest]) -> list[list[Candidate]]:
        """For each item its candidates, best fused first; none that the seller may not see."""
        queries = self._queries(requests)
        limit = self._settings.candidates_per_source
        answers = {source.name: source.find(queries, limit) for source in self.sources}
        fused = [fuse({name: hits[row] for name, hits in answers.items()}) for row in range(len(queries))]
        self._learn({one.canonical for ones in fused for one in ones}, queries)
        return [self._candidates(query, ones) for query, ones in zip(queries, fused, strict=True)]

    def vectors(self, products: Sequence[ProductState]) -> NDArray[np.float32]:
        """Embeddings of the products' texts, n x dimension, rows of length 1."""
        self._read(products)
        return np.stack([self._texts[matching_text(product)].vector for product in products])

    def _read(self, products: Iterable[ProductState]) -> None:
        texts = {matching_text(product): product_text(product) for product in products}
        fresh = [text for text in texts if text not in self._texts]
        for text, vector in zip(fresh, self._encoder.encode([texts[text] for text in fresh]), strict=True):
            self._texts[text] = _Text(vector, text_terms(text))

    def _queries(self, requests: Sequence[ItemRequest]) -> list[ItemQuery]:
        self._read(request.product for request in requests)
        return [self._query(request, matching_text(request.product)) for request in requests]

    def _query(self, request: ItemRequest, text: str) -> ItemQuery:
        known = self._texts[text]
        adopted = {form: raw for raw in request.adopted if (form := normal_form(raw)) != EMPTY}
        return ItemQuery(request.product, request.seller, text, known.vector, known.terms, adopted)

    def _learn(self, canonicals: set[str], queries: Sequence[ItemQuery]) -> None:
        """Add what the catalogue lacks: from the index, or as a seller typed it."""
        unknown = [canonical for canonical in sorted(canonicals) if canonical not in self.catalogue]
        if not unknown:
            return
        self.catalogue.add(*self._index.fetch(unknown))
        typed = {form: (text, query.seller) for query in queries for form, text in query.adopted.items()}
        own = [
            Keyword(canonical=canonical, text=typed[canonical][0], sellers=[typed[canonical][1]])
            for canonical in unknown
            if canonical in typed and canonical not in self.catalogue
        ]
        self.catalogue.add(own, self._encoder.encode([keyword.text for keyword in own]))

    def _candidates(self, query: ItemQuery, fused: Sequence[Fused]) -> list[Candidate]:
        visible = [(keyword, one) for one in fused if (keyword := self._shown(query, one.canonical))]
        matches = self._matches(query, [one.canonical for _, one in visible])
        return [
            Candidate(keyword, *match, one.score, one.found)
            for (keyword, one), match in zip(visible, matches, strict=True)
        ]

    def _matches(self, query: ItemQuery, canonicals: Sequence[str]) -> list[tuple[float, float]]:
        """Dense and lexical similarity of the item and each keyword, computed once per product text."""
        known = self._texts[query.text].matches
        fresh = [canonical for canonical in canonicals if canonical not in known]
        dense = self.catalogue.similarity(query.vector, fresh).tolist()
        lexical = self.catalogue.lexical.coverage(query.terms, fresh).tolist()
        known.update(zip(fresh, zip(dense, lexical, strict=True), strict=True))
        return [known[canonical] for canonical in canonicals]

    def _shown(self, query: ItemQuery, canonical: str) -> Keyword | None:
        """The keyword as the seller may see it: an adopted one always, and in their own words."""
        keyword = self.catalogue.get(canonical)
        if keyword and canonical in query.adopted:
            return msgspec.structs.replace(keyword, text=query.adopted[canonical])
        return keyword if keyword and may_show(keyword, query.seller) else None


@dataclass(frozen=True, eq=False)
class _Text:
    """What is known of one product text."""

    vector: NDArray[np.float32]
    terms: frozenset[str]
    matches: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Canonical keyword -> dense and lexical similarity."""


def _keyword_of(signal: Signal) -> str:
    kind, key = split_entity(signal.entity)
    return key if kind == "keyword" else ""
