"""The online store in memory: the twin of `VectorWriter`, `VectorReader` and `StateWriter` for unit tests.

One contract suite runs over both (tests/contract/test_online_store.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo.fence import StoreEmptied, fenced
from feature_repo.states import STATE_VIEWS, Value, check_row
from feature_repo.vector_reader import Readings, StateRow, Vectors
from feature_repo.vectors import entity, sum_names
from infra.settings import Settings


class MemoryStore:
    """Vectors, state rows and fences in dictionaries. `clear` plays a store that lost everything."""

    def __init__(self, settings: Settings) -> None:
        self._width = len(sum_names(settings.windows))
        self.clear()

    def clear(self) -> None:
        """Lose everything, fences included."""
        self._fences: dict[int, int] = {}
        self._whole: set[int] = set()
        self._vectors: dict[str, tuple[NDArray[np.float64], int]] = {}
        self.states: dict[tuple[str, str], StateRow] = {}

    def acquire(self, partition: int, epoch: int) -> bool:
        held = self._fences.get(partition)
        if held is not None and held > epoch:
            raise fenced(partition, epoch, held)
        self._fences[partition] = epoch
        return partition not in self._whole

    def confirm(self, partition: int) -> None:
        self._whole.add(partition)

    def check(self, partition: int, epoch: int) -> None:
        if (held := self._fences.get(partition)) is None:
            raise StoreEmptied(partition)
        if held != epoch:
            raise fenced(partition, epoch, held)

    def write(
        self, partition: int, epoch: int, entities: Sequence[str], sums: NDArray[np.float64], as_of_ms: int
    ) -> None:
        if sums.shape != (len(entities), self._width):
            raise ValueError(f"sums: shape {sums.shape}, expected ({len(entities)}, {self._width})")
        self.check(partition, epoch)
        for name, vector in zip(entities, sums.astype(np.float64), strict=True):
            self._vectors[name] = vector, as_of_ms

    def vectors(self, kind: str, keys: Sequence[str]) -> Vectors:
        found = [self._vectors.get(entity(kind, key), (np.zeros(self._width), 0)) for key in keys]
        sums = np.array([vector for vector, _ in found]).reshape(len(keys), self._width)
        return Vectors(sums, np.array([as_of for _, as_of in found], dtype=np.int64))

    def rows(self, view: str, keys: Sequence[str]) -> list[StateRow | None]:
        return [self.states.get((view, key)) for key in keys]

    def read_many(self, keys: Mapping[str, Sequence[str]]) -> dict[str, Vectors]:
        return self.read(keys, {}).vectors

    def read(self, vectors: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[str]]) -> Readings:
        return Readings(
            {kind: self.vectors(kind, keys) for kind, keys in vectors.items()},
            {view: self.rows(view, keys) for view, keys in rows.items()},
        )


class MemoryStateWriter:
    """Writes state rows into a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def write(self, view: str, rows: Sequence[Mapping[str, Value]]) -> None:
        state = STATE_VIEWS[view]
        for row in rows:
            key, _ = check_row(state, row)
            self._store.states[view, key] = {field: row[field] for field in state.fields}

    def delete(self, view: str, keys: Sequence[str]) -> None:
        for key in keys:
            self._store.states.pop((view, key), None)
