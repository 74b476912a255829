"""Candidates for items: every source asked, the answers fused, each keyword once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import split_entity
from infra.clock import Clock
from infra.settings import Settings
from scorers.keywords.table import Keyword, may_show
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.fusion import Found, Fused, fuse_each
from scorers.retrieval.matching import Matcher
from scorers.retrieval.neighbours import Neighbours
from scorers.retrieval.sources.adopted import Adopted
from scorers.retrieval.sources.alignment import Alignment
from scorers.retrieval.sources.co_searched import CoSearched
from scorers.retrieval.sources.dense import Dense
from scorers.retrieval.sources.lexical import bm25, ngrams
from scorers.retrieval.sources.remembered import Remembered
from scorers.retrieval.sources.rising import Rising
from scorers.retrieval.sources.source import ItemQuery, Source
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.messages import ProductState, Signal
from streams.normal_form import EMPTY


@dataclass(frozen=True)
class Candidate:
    """A keyword that might sell an item."""

    keyword: Keyword
    dense: float
    """Similarity of product and keyword, whichever source found it; the setting `relevance_floor` is on its scale."""
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
        canonical: CanonicalForms = NORMAL,
    ) -> None:
        """`pairs`: item, canonical, clicks, purchases so far; `days`: length of the history behind the catalogue;
        `canonical`: what keywords count under."""
        self._settings = settings
        self._canonical = canonical
        self._encoder = encoder
        self.catalogue = catalogue
        self._index = index
        self.co_searched = CoSearched(pairs)
        self.rising = Rising(catalogue, clock, days)
        self.sources: list[Source] = [
            Remembered(Dense(index), lambda: index.version, clock),
            Remembered(bm25(catalogue), lambda: index.version, clock),
            Remembered(ngrams(catalogue), lambda: index.version, clock),
            Remembered(Alignment(catalogue), lambda: index.version, clock),
            self.co_searched,
            self.rising,
            Adopted(),
        ]
        self._matcher = Matcher(encoder, catalogue)

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
        queries = self.read(requests)
        limit = self._settings.candidates_per_source
        answers = {source.name: source.find(queries, limit) for source in self.sources}
        said = [query.text.terms for query in queries]
        fused = [self._pool(query, ones) for query, ones in zip(queries, fuse_each(answers, said), strict=True)]
        self._learn({one.canonical for ones in fused for one in ones}, queries)
        return [self._candidates(query, ones) for query, ones in zip(queries, fused, strict=True)]

    def read(self, requests: Sequence[ItemRequest]) -> list[ItemQuery]:
        """The requests as sources are asked."""
        texts = self._matcher.read(request.product for request in requests)
        return [
            ItemQuery(request.product, request.seller, text, self._adopted(request))
            for request, text in zip(requests, texts, strict=True)
        ]

    def vectors(self, products: Sequence[ProductState]) -> NDArray[np.float32]:
        """Embeddings of the products' texts, n x dimension, rows of length 1."""
        return np.stack([text.vector for text in self._matcher.read(products)])

    def _adopted(self, request: ItemRequest) -> dict[str, str]:
        """Canonical form -> as the seller typed it."""
        return {form: text for text in request.adopted if (form := self._canonical(text)) != EMPTY}

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

    def _pool(self, query: ItemQuery, fused: Sequence[Fused]) -> list[Fused]:
        """The best, and whatever the campaign has adopted."""
        most = self._settings.candidates_max
        return [*fused[:most], *(one for one in fused[most:] if one.canonical in query.adopted)]

    def _candidates(self, query: ItemQuery, fused: Sequence[Fused]) -> list[Candidate]:
        visible = [(keyword, one) for one in fused if (keyword := self._shown(query, one.canonical))]
        matches = self._matcher.matches(query.text, [one.canonical for _, one in visible])
        return [
            Candidate(keyword, *match, one.score, one.found)
            for (keyword, one), match in zip(visible, matches, strict=True)
        ]

    def _shown(self, query: ItemQuery, canonical: str) -> Keyword | None:
        """The keyword as the seller may see it: an adopted one always, and in their own words."""
        keyword = self.catalogue.get(canonical)
        if keyword and canonical in query.adopted:
            return msgspec.structs.replace(keyword, text=query.adopted[canonical])
        return keyword if keyword and may_show(keyword, query.seller) else None


def _keyword_of(signal: Signal) -> str:
    kind, key = split_entity(signal.entity)
    return key if kind == "keyword" else ""
