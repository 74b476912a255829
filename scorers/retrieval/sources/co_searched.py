"""Keywords under which shoppers clicked or bought the item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from feature_repo.vectors import split_entity
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery
from streams.contracts.messages import Signal

PURCHASE_WEIGHT = 10.0
"""In clicks. A purchase says more, but most items have none."""


class CoSearched:
    """Clicks and purchases per item and keyword: seeded from history, kept up by signals."""

    name = "co_searched"

    def __init__(self, pairs: Iterable[tuple[str, str, int, int]] = ()) -> None:
        """`pairs`: item, canonical keyword, clicks, purchases."""
        self._weights: dict[str, dict[str, float]] = {}
        for item, canonical, clicks, purchases in pairs:
            self._raise(item, canonical, clicks + PURCHASE_WEIGHT * purchases)

    def observe(self, signal: Signal) -> None:
        """Take note when a pair's clicks or purchases moved."""
        kind, key = split_entity(signal.entity)
        if kind != "pair" or signal.metric not in ("clicks", "purchases"):
            return
        item, _, canonical = key.partition("|")
        self._raise(item, canonical, signal.after * (PURCHASE_WEIGHT if signal.metric == "purchases" else 1.0))

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return [
            sorted(self._weights.get(query.product.item, {}).items(), key=lambda hit: (-hit[1], hit[0]))[:limit]
            for query in queries
        ]

    def _raise(self, item: str, canonical: str, weight: float) -> None:
        if weight > 0:
            known = self._weights.setdefault(item, {})
            known[canonical] = max(weight, known.get(canonical, 0.0))
