"""Drifts under way, as signals tell of them: they say something of a category, and are no part of a value."""

from __future__ import annotations

from collections.abc import Iterable

from feature_repo.vectors import split_entity
from streams.contracts.messages import Signal
from streams.drift.signal import DRIFT_AGAIN_MS

LASTS_MS = 3 * DRIFT_AGAIN_MS
"""After so long without a word a drift is over."""


class Drifts:
    """The latest signal of each rate of a category that drifts."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[Signal, int]] = {}

    def observe(self, signals: Iterable[Signal], now_ms: int) -> None:
        """Take note of those that tell of a drift."""
        for signal in signals:
            if signal.cause == "drifted":
                self._latest[split_entity(signal.entity)[1], signal.metric] = signal, now_ms
        over = [rate for rate, (_, at) in self._latest.items() if now_ms - at > LASTS_MS]
        for rate in over:
            del self._latest[rate]

    def by_category(self) -> dict[str, Signal]:
        """The drift of each category that began last, as of what was last observed."""
        signals = sorted((signal for signal, _ in self._latest.values()), key=lambda one: (one.event_time, one.metric))
        return {split_entity(signal.entity)[1]: signal for signal in signals}
