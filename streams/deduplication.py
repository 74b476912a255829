"""New, duplicate or too late: judged within one topic partition, from its own log and nothing else.

An event is too late when it is older than the greatest event time seen so far in that partition minus the horizon. Its
id is forgotten exactly when the time of its first acceptance falls below that bound, so a repeat is either known or too
late. Wall clock plays no part: catching up after an outage gives the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """What an event is to its partition."""

    NEW = "new"
    DUPLICATE = "duplicate"
    TOO_LATE = "too_late"


NEW, DUPLICATE, TOO_LATE = Verdict.NEW, Verdict.DUPLICATE, Verdict.TOO_LATE
_FEWEST_IDS_TO_PURGE = 10_000


class Deduplication:
    """The ids and the greatest event time of one topic partition."""

    def __init__(self, horizon_ms: int) -> None:
        self._horizon_ms = horizon_ms
        self._seen: dict[str, int] = {}
        self._purge_at = _FEWEST_IDS_TO_PURGE
        self.newest = 0
        """Greatest event time seen, ms."""

    @property
    def bound(self) -> int:
        """An event older than this (ms) can no longer be accepted."""
        return self.newest - self._horizon_ms

    def judge(self, event_id: str, event_time: int) -> Verdict:
        """Judge an event and, when it is new, remember it."""
        if event_time > self.newest:
            self.newest = event_time
        bound = self.newest - self._horizon_ms
        if event_time < bound:
            return TOO_LATE
        first = self._seen.get(event_id)
        if first is not None and first >= bound:
            return DUPLICATE
        self._seen[event_id] = event_time
        return NEW

    def remember(self, accepted: Iterable[tuple[str, int]], newest: int) -> None:
        """Take over (id, event time) of accepted events, and the greatest time seen."""
        self._seen.update(accepted)
        self.newest = max(self.newest, newest)

    def purge(self) -> None:
        """Free ids that are forgotten. Changes no verdict; costs little: only once they may be half of all."""
        if len(self._seen) >= self._purge_at:
            self._drop_forgotten()

    def remembered(self) -> dict[str, int]:
        """First event time of each id that is not forgotten. Valid until the next event."""
        self._drop_forgotten()
        return self._seen

    def _drop_forgotten(self) -> None:
        bound = self.bound
        self._seen = {event_id: time for event_id, time in self._seen.items() if time >= bound}
        self._purge_at = max(_FEWEST_IDS_TO_PURGE, 2 * len(self._seen))
