"""In which order events reach the log: a little delay for all, some late, some twice, a very few too late."""

from __future__ import annotations

import numpy as np

from streams.simulator.columns import Columns, concat, take

DUPLICATE_SHARE = 0.01
LATE_SHARE = 0.05
TOO_LATE_SHARE = 0.0002


class Arrivals:
    """Holds one topic's events back until they arrive. Lateness is within `horizon_ms`, but for the too late."""

    def __init__(self, rng: np.random.Generator, horizon_ms: int) -> None:
        self._rng = rng
        self._horizon_ms = horizon_ms
        self._waiting: Columns | None = None
        self.counts = {"duplicate": 0, "late": 0, "too_late": 0}

    def add(self, events: Columns) -> None:
        """Events that happened; each will arrive once, one in a hundred twice."""
        rng, count, horizon = self._rng, len(events["event_time"]), self._horizon_ms
        delay = rng.integers(5, 250, count)
        luck = rng.random(count)
        late = luck < LATE_SHARE
        delay[late] += np.minimum(rng.exponential(horizon / 10, int(late.sum())), 0.9 * horizon).astype(np.int64)
        too_late = luck > 1 - TOO_LATE_SHARE
        delay[too_late] += (horizon * rng.uniform(1.2, 2.0, int(too_late.sum()))).astype(np.int64)
        again = np.flatnonzero((rng.random(count) < DUPLICATE_SHARE) & ~too_late)
        first = {**events, "arrival": events["event_time"] + delay}
        second = take(first, again)
        second["arrival"] = second["arrival"] + rng.integers(1, max(2, horizon // 20), len(again))
        self.counts["duplicate"] += len(again)
        self.counts["late"] += int(late.sum())
        self.counts["too_late"] += int(too_late.sum())
        self._waiting = concat([part for part in (self._waiting, first, second) if part is not None])

    def until(self, moment_ms: int | None) -> Columns:
        """The events that have arrived before `moment_ms` (None: all that wait), in order of arrival."""
        if self._waiting is None:
            raise ValueError("arrivals: nothing was ever added")
        arrival = self._waiting["arrival"]
        here = arrival < moment_ms if moment_ms is not None else np.ones(len(arrival), dtype=bool)
        arrived = take(self._waiting, here)
        self._waiting = take(self._waiting, ~here)
        arrived = take(arrived, np.argsort(arrived["arrival"], kind="stable"))
        del arrived["arrival"]
        return arrived
