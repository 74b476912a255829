"""Which event records have a dead letter already, so that a rebuild, which reads them again, writes no second one.

A rebuild finds them in the dead-letter topic and leaves them beside the checkpoints, by partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from typing import TypeAlias, cast

import msgspec
from msgspec import Struct
from redis import Redis, RedisCluster

from infra.settings import Settings
from infra.topics import Topics
from streams.log_reader import log_reader

Buried: TypeAlias = Mapping[str, Set[int]]
"""Offsets by topic, of one partition."""


class _Source(Struct):
    topic: str
    partition: int
    offset: int


def find(settings: Settings) -> dict[int, Buried]:
    """All of them by partition, as far as their letters are still kept."""
    topics = Topics.of(settings)
    events = {topic.name for topic in topics.events}
    decoder = msgspec.json.Decoder(_Source)
    found: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    with log_reader(settings, "rebuild") as reader:
        for record in reader.until_now(topics.deadletter):
            source = decoder.decode(record.value or b"")
            if source.topic in events:
                found[source.partition][source.topic].add(source.offset)
    return dict(found)


def keep(redis: Redis | RedisCluster, settings: Settings, found: Mapping[int, Buried]) -> None:
    """Leave what was found for the partitions' next owners, in place of what was left before."""
    for partition in range(settings.partitions):
        redis.set(_key(settings, partition), msgspec.msgpack.encode(found.get(partition, {})))


def load(redis: Redis | RedisCluster, settings: Settings, partition: int) -> Buried:
    """What the last rebuild left; nothing where there was none."""
    kept = cast("bytes | None", redis.get(_key(settings, partition)))
    return {} if kept is None else msgspec.msgpack.decode(kept, type=dict[str, set[int]])


def _key(settings: Settings, partition: int) -> str:
    # The hash tag of the partition's checkpoint.
    return f"keypulse:{{{settings.topic_prefix}shopper/{partition}}}:buried"
