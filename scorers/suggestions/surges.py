"""Surges under way, as signals tell of them: they say when to speak and why, and are no part of a value."""

from __future__ import annotations

from collections.abc import Iterable

from feature_repo.vectors import split_entity
from streams.contracts.messages import Signal
from streams.surges import SURGE_AGAIN_MS

LASTS_MS = 3 * SURGE_AGAIN_MS
"""After so long without a word a surge is over."""


class Surges:
    """The latest signal of each keyword that surges."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[Signal, int]] = {}

    def observe(self, signals: Iterable[Signal], now_ms: int) -> None:
        """Take note of those that tell of a surge."""
        for signal in signals:
            if signal.cause == "surged":
                self._latest[split_entity(signal.entity)[1]] = signal, now_ms
        over = [keyword for keyword, (_, at) in self._latest.items() if now_ms - at > LASTS_MS]
        for keyword in over:
            del self._latest[keyword]

    def among(self, keywords: Iterable[str]) -> dict[str, Signal]:
        """Those of the canonical keywords that surge, as of what was last observed."""
        return {keyword: self._latest[keyword][0] for keyword in keywords if keyword in self._latest}
