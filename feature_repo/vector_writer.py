"""Vectors into the online store: fenced, in one round trip a batch, in bytes that Feast reads.

A script sets a chunk's hashes only while the fence holds our epoch, so check and write are one step. It is
several times faster than a pipelined transaction, of which Redis answers every command twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from redis import Redis, RedisCluster

from feature_repo import codec
from feature_repo.fence import RAISE_FENCE, check, fence_key, fenced, whole_key
from feature_repo.vectors import split_entity, sum_names
from infra.settings import Settings

CHUNK_ROWS = 4_000
"""Rows of one script call: a few milliseconds during which the store answers nobody else."""

_WRITE_FENCED = """
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then
  for row = 2, #KEYS do redis.call('HSET', KEYS[row], ARGV[2], ARGV[row + 3], ARGV[3], ARGV[4]) end
end
return held
"""


class VectorSink(Protocol):
    """Where the owner of a partition writes vectors: `VectorWriter`, or `memory.MemoryStore` in tests."""

    def acquire(self, partition: int, epoch: int) -> bool:
        """Raise the partition's fence to `epoch`. True when vectors are missing: write all again, then `confirm`.

        Raises:
            Fenced: the fence holds a greater epoch.
        """
        ...

    def confirm(self, partition: int) -> None:
        """Say that every vector of the partition has been written."""
        ...

    def check(self, partition: int, epoch: int) -> None:
        """Look whether the partition is still ours and the store still whole, with nothing to write.

        Raises:
            Fenced: another owner took over.
            StoreEmptied: the store lost its data.
        """
        ...

    def write(
        self, partition: int, epoch: int, entities: Sequence[str], sums: NDArray[np.float64], as_of_ms: int
    ) -> None:
        """Store each entity's vector: row r of `sums` (n x V) is that of `entities[r]` as of `as_of_ms`.

        Raises:
            Fenced: another owner took over; nothing of the chunk at hand was written.
            StoreEmptied: the store lost its data; likewise.
        """
        ...


class VectorWriter:
    """Writes to Redis.

    On a Redis Cluster a script can't span slots. There the fence is read first and the hashes are written after it, so
    a former owner that stalls between the two can put an old vector over a new one, which stands until the entity is
    written next (with its next event, or when one of its windows moves on).
    """

    def __init__(self, redis: Redis | RedisCluster, settings: Settings) -> None:
        self._redis = redis
        self._width = len(sum_names(settings.windows))
        self._spans_slots = isinstance(redis, RedisCluster)

    def acquire(self, partition: int, epoch: int) -> bool:
        held = cast("bytes | None", self._redis.eval(RAISE_FENCE, 1, fence_key(partition), str(epoch)))
        if held is not None and int(held) > epoch:
            raise fenced(partition, epoch, int(held))
        return held is None or not self._redis.exists(whole_key(partition))

    def confirm(self, partition: int) -> None:
        self._redis.set(whole_key(partition), 1)

    def check(self, partition: int, epoch: int) -> None:
        check(partition, epoch, cast("bytes | None", self._redis.get(fence_key(partition))))

    def write(
        self, partition: int, epoch: int, entities: Sequence[str], sums: NDArray[np.float64], as_of_ms: int
    ) -> None:
        if sums.shape != (len(entities), self._width):
            raise ValueError(f"sums: shape {sums.shape}, expected ({len(entities)}, {self._width})")
        fence = fence_key(partition)
        timestamp = codec.encode_timestamp(as_of_ms)
        if self._spans_slots:
            self.check(partition, epoch)
        with self._redis.pipeline(transaction=False) as pipe:
            for kind, keys, values in _chunks(entities, codec.encode_vectors(sums)):
                view = codec.vector_view(kind)
                names = codec.field_name(view, view), codec.timestamp_name(view)
                if self._spans_slots:
                    for key, value in zip(keys, values, strict=True):
                        pipe.execute_command("HSET", key, names[0], value, names[1], timestamp)
                else:
                    arguments = [str(epoch), *names, timestamp, *values]
                    pipe.execute_command("EVAL", _WRITE_FENCED, len(keys) + 1, fence, *keys, *arguments)
            replies = pipe.execute()
        if not self._spans_slots:
            for held in replies:
                check(partition, epoch, held)


def _chunks(entities: Sequence[str], values: list[bytes]) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """Kind, Redis keys and values of at most CHUNK_ROWS entities of one kind."""
    of_kind: dict[str, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
    for name, value in zip(entities, values, strict=True):
        kind, key = split_entity(name)
        keys, vectors = of_kind[kind]
        keys.append(codec.row_key(kind, key))
        vectors.append(value)
    for kind, (keys, vectors) in of_kind.items():
        for at in range(0, len(keys), CHUNK_ROWS):
            yield kind, keys[at : at + CHUNK_ROWS], vectors[at : at + CHUNK_ROWS]
