"""What the state topics say, into the online store, in bytes that Feast reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from redis import Redis, RedisCluster

from feature_repo import codec
from feature_repo.states import STATE_VIEWS, Value, check_row


class StateSink(Protocol):
    """Where agents write state: `StateWriter`, or `memory.MemoryStore` in tests."""

    def write(self, view: str, rows: Sequence[Mapping[str, Value]]) -> None:
        """Store rows of a view. A row has the view's fields and the entity's key under its kind (`item`, ...).

        Raises:
            ValueError: a field is missing or of the wrong type.
        """
        ...

    def delete(self, view: str, keys: Sequence[str]) -> None:
        """Forget the view's rows of these entities. What other views say of them stays."""
        ...


class StateWriter:
    """Writes to Redis, in one round trip a call. The last write of an entity stands: write in the topic's order."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis

    def write(self, view: str, rows: Sequence[Mapping[str, Value]]) -> None:
        state = STATE_VIEWS[view]
        names = [codec.field_name(view, field) for field in state.fields]
        with self._redis.pipeline(transaction=False) as pipe:
            for row in rows:
                key, updated_at = check_row(state, row)
                values = [codec.encode_value(row[field]) for field in state.fields]
                pairs = [part for pair in zip(names, values, strict=True) for part in pair]
                timestamp = codec.timestamp_name(view), codec.encode_timestamp(updated_at)
                pipe.execute_command("HSET", codec.row_key(state.kind, key), *timestamp, *pairs)
            pipe.execute()

    def delete(self, view: str, keys: Sequence[str]) -> None:
        state = STATE_VIEWS[view]
        names = [*(codec.field_name(view, field) for field in state.fields), codec.timestamp_name(view)]
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.execute_command("HDEL", codec.row_key(state.kind, key), *names)
            pipe.execute()
