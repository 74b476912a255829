"""Signals told by others than the stages: they carry no counts, so no sequence guards them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from zlib import crc32

import msgspec

from infra.topics import Topic
from streams.contracts.messages import Envelope, Signal, Signals
from streams.exactly_once import Outgoing

_UNCOUNTED = Envelope("", 0, 0)


def signal_messages(signals: Iterable[Signal], topic: Topic, now_ms: int) -> list[Outgoing]:
    """Signals packed into one message for each partition of the topic, in the entities' partitions."""
    by_partition: dict[int, list[Signal]] = defaultdict(list)
    for signal in signals:
        by_partition[crc32(signal.entity.encode()) % topic.partitions].append(signal)
    return [
        Outgoing(topic.name, partition, None, msgspec.msgpack.encode(Signals(_UNCOUNTED, now_ms, packed)))
        for partition, packed in sorted(by_partition.items())
    ]
