"""How many campaigns to score at a time, so that no turn of the worker takes long whatever a campaign costs."""

from __future__ import annotations

TURN_S = 0.1
"""What scoring should take in one turn of a shard: a pause, a new campaign, a surge wait no longer than some turns."""

LEAST = 8
"""Even so: to find candidates costs as much for one campaign as for several (a query of Milvus Lite 0.1 s and more)."""

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
