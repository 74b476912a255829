"""Candidates of each item, kept until something about them changes, and laid out in columns for scoring.

They are sought again when the product or the campaign's own keywords change, when there is a new index, after
`MAX_AGE_MS`, and when a signal brings up a keyword that they lack: one that is suddenly searched and near to the item,
or one under which the item was clicked or bought.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import pair_key, split_entity
from infra.clock import Clock
from infra.settings import MINUTE_MS, Settings
from scorers.keywords.table import Keyword
from scorers.retrieval.candidates import Candidate, CandidateGenerator, ItemRequest
from scorers.suggestions.growth import growth
from streams.contracts.messages import ProductState, Signal

MAX_AGE_MS = 10 * MINUTE_MS
"""Past this age candidates are sought anew. What comes up meanwhile is made known by signals."""

_SUDDEN = 2.0
"""A keyword searched so many times as often as when last told (smoothed) may be news to an item."""


@dataclass(frozen=True, eq=False)
class Offer:
    """The candidates of one item in one campaign: adopted ones, and those not below the relevance floor."""

    product: ProductState
    candidates: list[Candidate]
    canonicals: list[str] = field(init=False)
    keywords: list[Keyword] = field(init=False)
    pairs: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "canonicals", [one.canonical for one in self.candidates])
        object.__setattr__(self, "keywords", [one.keyword for one in self.candidates])
        object.__setattr__(self, "pairs", [pair_key(self.product.item, one.canonical) for one in self.candidates])


@dataclass
class _Kept:
    request: ItemRequest
    offer: Offer
    index_version: str
    at_ms: int
    canonicals: frozenset[str]
    """All that were found, those below the floor too: they are no news."""

    def valid(self, index_version: str, now_ms: int) -> bool:
        return self.index_version == index_version and now_ms - self.at_ms < MAX_AGE_MS


class Offers:
    """Asks the generator when it must, for many items at once. Not thread-safe."""

    def __init__(self, generator: CandidateGenerator, settings: Settings, clock: Clock) -> None:
        self._generator = generator
        self._floor = settings.relevance_floor
        self._smoothing = settings.forecast_smoothing
        self._clock = clock
        self._kept: dict[str, dict[str, _Kept]] = defaultdict(dict)
        """By item and campaign."""
        self._items_of: dict[str, set[str]] = defaultdict(set)
        self._shelves: dict[str, _Shelf] = defaultdict(_Shelf)

    @property
    def index_version(self) -> str:
        """Version of the keyword index that candidates come from."""
        return self._generator.index_version

    def due(self, campaign: str) -> bool:
        """Whether candidates of some item of the campaign have to be sought, as far as the clock and the index say."""
        now, version = self._clock.now_ms(), self._generator.index_version
        kept = [self._kept[item].get(campaign) for item in self._items_of.get(campaign, ())]
        return not kept or any(one is None or not one.valid(version, now) for one in kept)

    def of(self, wanted: Sequence[tuple[str, ItemRequest]]) -> list[Offer]:
        """An offer for each (campaign, item)."""
        now, version = self._clock.now_ms(), self._generator.index_version
        due = [(campaign, request) for campaign, request in wanted if not self._fresh(campaign, request, version, now)]
        requests = [request for _, request in due]
        if due:
            vectors = self._generator.vectors([request.product for request in requests])
            for request, vector in zip(requests, vectors, strict=True):
                self._shelves[request.product.category].put(request.product.item, vector)
        for (campaign, request), found in zip(due, self._generator.for_items(requests), strict=True):
            offer = Offer(request.product, [one for one in found if self._acceptable(one)])
            canonicals = frozenset(one.canonical for one in found)
            self._items_of[campaign].add(request.product.item)
            self._kept[request.product.item][campaign] = _Kept(request, offer, version, now, canonicals)
        return [self._kept[request.product.item][campaign].offer for campaign, request in wanted]

    def forget(self, campaign: str) -> None:
        """The campaign is closed."""
        for item in self._items_of.pop(campaign, ()):
            self._kept[item].pop(campaign, None)

    def observe(self, signals: Sequence[Signal]) -> dict[str, set[str]]:
        """Keep the live sources up to date. By the signal's entity: campaigns to which it brings up a keyword."""
        self._generator.observe(signals)
        news: dict[str, set[str]] = {}
        for signal in signals:
            canonical, items = self._concerns(signal)
            for item in items:
                campaigns = [name for name, kept in self._kept[item].items() if canonical not in kept.canonicals]
                for campaign in campaigns:
                    del self._kept[item][campaign]
                if campaigns:
                    news.setdefault(signal.entity, set()).update(campaigns)
        return news

    def _concerns(self, signal: Signal) -> tuple[str, list[str]]:
        """A keyword, and known items of which it may have become a candidate."""
        kind, key = split_entity(signal.entity)
        if kind == "keyword" and signal.metric == "searches":
            if signal.cause != "surged" and growth(signal.after, signal.before, self._smoothing) < _SUDDEN:
                return "", []
            keywords, vectors = self._generator.catalogue.fetch([key])
            if keywords and keywords[0].category in self._shelves:
                return key, self._shelves[keywords[0].category].near(vectors[0], self._floor)
        elif kind == "pair" and signal.metric in ("clicks", "purchases"):
            item, _, canonical = key.partition("|")
            if item in self._kept:
                return canonical, [item]
        return "", []

    def _fresh(self, campaign: str, request: ItemRequest, version: str, now: int) -> bool:
        kept = self._kept[request.product.item].get(campaign)
        return kept is not None and kept.valid(version, now) and kept.request == request

    def _acceptable(self, candidate: Candidate) -> bool:
        return candidate.dense >= self._floor or "adopted" in candidate.found


class _Shelf:
    """Vectors of the items of one category."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._vectors: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def put(self, item: str, vector: NDArray[np.float32]) -> None:
        row = self._rows.setdefault(item, len(self._rows))
        if row >= len(self._vectors):
            grown = np.zeros((2 * row + 16, len(vector)), np.float32)
            grown[: len(self._vectors)] = self._vectors.reshape(-1, len(vector))
            self._vectors = grown
        self._vectors[row] = vector

    def near(self, vector: NDArray[np.float32], floor: float) -> list[str]:
        close = self._vectors[: len(self._rows)] @ vector >= floor
        return [item for item, row in self._rows.items() if close[row]]
