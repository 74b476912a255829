"""Vectors and state rows out of the online store: any number of entities of any kinds in one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from redis import Redis, RedisCluster

from feature_repo import codec
from feature_repo.states import STATE_VIEWS, StateView, Value
from feature_repo.vectors import sum_names
from infra.settings import Settings

StateRow = dict[str, Value]
_SCANNED_AT_ONCE = 10_000


class Vectors(NamedTuple):
    """Vectors of n entities of one kind, in the order asked for."""

    sums: NDArray[np.float64]
    """n x V; zeros for an unknown entity."""
    as_of: NDArray[np.int64]
    """n; ms, the moment each vector was summed for; 0 for an unknown entity."""


class Readings(NamedTuple):
    """The answer of one round trip."""

    vectors: dict[str, Vectors]
    """By kind."""
    rows: dict[str, list[StateRow | None]]
    """By state view; None for an unknown entity."""


class OnlineSource(Protocol):
    """Where features are read from: `VectorReader`, or `memory.MemoryStore` in tests."""

    def vectors(self, kind: str, keys: Sequence[str]) -> Vectors:
        """Vectors of entities of one kind."""
        ...

    def rows(self, view: str, keys: Sequence[str]) -> list[StateRow | None]:
        """Rows of a state view."""
        ...

    def read_many(self, keys: Mapping[str, Sequence[str]]) -> dict[str, Vectors]:
        """Vectors of several kinds."""
        ...

    def read(self, vectors: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[str]]) -> Readings:
        """Vectors by kind and rows by state view."""
        ...


class VectorReader:
    """Reads from Redis. A connection that decodes responses will not do: the values are bytes."""

    def __init__(self, redis: Redis | RedisCluster, settings: Settings) -> None:
        self._redis = redis
        self._width = len(sum_names(settings.windows))

    def vectors(self, kind: str, keys: Sequence[str]) -> Vectors:
        return self.read({kind: keys}, {}).vectors[kind]

    def rows(self, view: str, keys: Sequence[str]) -> list[StateRow | None]:
        return self.read({}, {view: keys}).rows[view]

    def read_many(self, keys: Mapping[str, Sequence[str]]) -> dict[str, Vectors]:
        return self.read(keys, {}).vectors

    def entities(self) -> Iterator[tuple[str, str]]:
        """Kind and key of every entity that the store holds anything of. Walks the whole store."""
        for name in self._redis.scan_iter(count=_SCANNED_AT_ONCE):
            if found := codec.entity_of(name):
                yield found

    def read(self, vectors: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[str]]) -> Readings:
        with self._redis.pipeline(transaction=False) as pipe:
            for kind, keys in vectors.items():
                view = codec.vector_view(kind)
                names = codec.field_name(view, view), codec.timestamp_name(view)
                for key in keys:
                    pipe.execute_command("HMGET", codec.row_key(kind, key), *names)
            for view_name, keys in rows.items():
                state = STATE_VIEWS[view_name]
                fields = _field_names(state)
                for key in keys:
                    pipe.execute_command("HMGET", codec.row_key(state.kind, key), *fields)
            replies = iter(pipe.execute())
        return Readings(
            {kind: self._vectors([next(replies) for _ in keys]) for kind, keys in vectors.items()},
            {name: [_row(STATE_VIEWS[name], next(replies)) for _ in keys] for name, keys in rows.items()},
        )

    def _vectors(self, replies: list[list[bytes | None]]) -> Vectors:
        sums = codec.decode_vectors([value for value, _ in replies], self._width)
        as_of = [codec.decode_timestamp(timestamp) if timestamp else 0 for _, timestamp in replies]
        return Vectors(sums, np.array(as_of, dtype=np.int64))


def _field_names(view: StateView) -> list[bytes]:
    return [*(codec.field_name(view.name, field) for field in view.fields), codec.timestamp_name(view.name)]


def _row(view: StateView, reply: list[bytes | None]) -> StateRow | None:
    *values, timestamp = reply
    if timestamp is None:
        return None
    return {field: codec.decode_value(value) for field, value in zip(view.fields, values, strict=True)}
