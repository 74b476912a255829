"""A source's answers, kept for a while: what an item's text matches changes only when keywords are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.clock import Clock
from infra.settings import MINUTE_MS
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery, Source

MAX_AGE_MS = 10 * MINUTE_MS
"""An answer is asked for again past this age: newly discovered keywords enter an index without a new version."""
_MAX_ITEMS = 100_000


class Remembered:
    """Asks `source` once per product as it reads, seller, index version and limit."""

    def __init__(self, source: Source, version: Callable[[], str], clock: Clock) -> None:
        self.name = source.name
        self._source = source
        self._version = version
        self._clock = clock
        self._kept: dict[tuple[str, str, str, int], tuple[int, list[Hit]]] = {}

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        now, version = self._clock.now_ms(), self._version()
        keys = [(query.text.key, query.seller, version, limit) for query in queries]
        asked = {key: query for key, query in zip(keys, queries, strict=True) if not self._fresh(key, now)}
        if asked:
            answers = self._source.find(list(asked.values()), limit)
            if len(self._kept) + len(asked) > _MAX_ITEMS:
                self._kept = {key: self._kept[key] for key in keys if key not in asked}
            self._kept.update((key, (now, hits)) for key, hits in zip(asked, answers, strict=True))
        return [self._kept[key][1] for key in keys]

    def _fresh(self, key: tuple[str, str, str, int], now: int) -> bool:
        kept = self._kept.get(key)
        return kept is not None and now - kept[0] < MAX_AGE_MS
