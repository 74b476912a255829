"""How many campaigns to score at a time, so that no turn of the worker takes long whatever a campaign costs."""

from __future__ import annotations

TURN_S = 0.05
"""What scoring should take in one turn of a shard: a signal waits for the turn of all shards to end. With twice as
much, half of the lists in the demo came .9 s after their event instead of .6 s."""

LEAST = 4
"""Even so: some of the cost is the same for one campaign as for several."""

_MEMORY = 0.5


class Pace:
    """Learns what a campaign costs: some milliseconds, ten times that when its candidates have to be found first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seconds_each = TURN_S / LEAST

    @property
    def campaigns(self) -> int:
        """How many to score in the next turn."""
        return min(self._most, max(LEAST, int(TURN_S / self._seconds_each)))

    def note(self, campaigns: int, seconds: float) -> None:
        """So many took so long."""
        if campaigns:
            self._seconds_each += _MEMORY * (max(seconds, 1e-6) / campaigns - self._seconds_each)
