"""Vectors that the scorer read a moment ago: many campaigns ask for the same keywords.

A signal of an entity makes the next read go to the store. What has moved less than a signal tells may be as old as
`scorer_vector_ttl_ms`. Most pairs have no vector at all; those are looked for more seldom, at moments spread over the
interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo.vector_reader import OnlineSource, Vectors
from feature_repo.vectors import split_entity, sum_names
from infra.clock import Clock
from infra.settings import Settings

MOST_OF_A_KIND = 500_000
"""Vectors of one kind in memory (100 MB at 24 numbers); past that the kind is read anew."""

_NEVER = -(1 << 60)
_GOLDEN_RATIO = 0.6180339887498949


class _Table:
    """Vectors of one kind, row for row with when each was read."""

    def __init__(self, width: int) -> None:
        self.slots: dict[str, int] = {}
        self.sums: NDArray[np.float64] = np.zeros((1024, width))
        self.as_of: NDArray[np.int64] = np.zeros(1024, np.int64)
        self.read_at: NDArray[np.int64] = np.full(1024, _NEVER, np.int64)

    def slots_of(self, keys: Sequence[str]) -> NDArray[np.int64]:
        slots = self.slots
        found = np.array([slots.setdefault(key, len(slots)) for key in keys], dtype=np.int64)
        while len(slots) > len(self.as_of):
            self.sums = np.concatenate([self.sums, np.zeros_like(self.sums)])
            self.as_of = np.concatenate([self.as_of, np.zeros_like(self.as_of)])
            self.read_at = np.concatenate([self.read_at, np.full_like(self.read_at, _NEVER)])
        return found


class FeatureCache:
    """Reads vectors through to the online store when they are due. Not thread-safe."""

    def __init__(self, source: OnlineSource, settings: Settings, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._width = len(sum_names(settings.windows))
        self._ttl_ms = settings.scorer_vector_ttl_ms
        self._unknown_ttl_ms = settings.scorer_unknown_ttl_ms
        self._tables: dict[str, _Table] = {}

    def read_many(self, keys: Mapping[str, Sequence[str]]) -> dict[str, Vectors]:
        """Vectors by kind, in the order of `keys`; those that are due are read in one round trip."""
        now = self._clock.now_ms()
        tables = {kind: self._table(kind, len(of_kind)) for kind, of_kind in keys.items()}
        slots = {kind: tables[kind].slots_of(of_kind) for kind, of_kind in keys.items()}
        due: dict[str, list[str]] = {}
        for kind, of_kind in keys.items():
            stale = self._stale(tables[kind], slots[kind], now)
            if stale.any():
                due[kind] = list(dict.fromkeys(of_kind[row] for row in np.flatnonzero(stale).tolist()))
        if due:
            for kind, vectors in self._source.read_many(due).items():
                read = tables[kind].slots_of(due[kind])
                tables[kind].sums[read] = vectors.sums
                tables[kind].as_of[read] = vectors.as_of
                tables[kind].read_at[read] = now
        return {kind: Vectors(tables[kind].sums[found], tables[kind].as_of[found]) for kind, found in slots.items()}

    def forget(self, entities: Iterable[str]) -> None:
        """Read these entities (`kind:key`) anew the next time they are asked for."""
        for name in entities:
            kind, key = split_entity(name)
            table = self._tables.get(kind)
            if table and (slot := table.slots.get(key)) is not None:
                table.read_at[slot] = _NEVER

    def clear(self) -> None:
        """Read everything anew."""
        self._tables.clear()

    def _table(self, kind: str, asked: int) -> _Table:
        table = self._tables.get(kind)
        if table is None or len(table.slots) + asked > max(MOST_OF_A_KIND, asked):
            table = self._tables[kind] = _Table(self._width)
        return table

    def _stale(self, table: _Table, slots: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        # The golden ratio spreads the unknown ones of one read evenly over half of their interval.
        spread = 0.5 + 0.5 * np.modf(slots * _GOLDEN_RATIO)[0]
        ttl = np.where(table.as_of[slots] > 0, float(self._ttl_ms), self._unknown_ttl_ms * spread)
        stale: NDArray[np.bool_] = now - table.read_at[slots] >= ttl
        return stale
