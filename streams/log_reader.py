"""A topic read from some offsets to where it ends now: for tools and for what is rebuilt from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra import kafka
from infra.reach import until_reachable
from infra.settings import Settings
from infra.topics import Topic
from streams.stage import Record, record_of

_REQUEST_S = 10.0
_PATIENCE_S = 30.0
_BATCH = 1_000
_BATCH_S = 0.1
"""A batch waits so long to fill: every reading's last one does."""

Start = Callable[[int, int, int], int]
"""Offset to read a partition from, given its number and its oldest and next offsets."""


def from_beginning(_partition: int, low: int, _high: int) -> int:
    """Everything that is kept."""
    return low


class LogReader:
    """Reads outside of any group's assignment; a `group` serves to keep offsets under its name.

    Raises:
        Unreachable: no broker.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        kafka.wait_ready(settings)
        # A request waits behind a fetch that waits for news, and at the end of a topic there are none.
        options = {"enable.partition.eof": True, "fetch.wait.max.ms": 10}
        self.consumer: Consumer = kafka.consumer(settings, group, **options)

    def until_now(self, topic: Topic, start: Start = from_beginning) -> Iterator[Record]:
        """Records of all partitions from `start` on. Ends at the offset that was next when it began.

        Raises:
            KafkaException, Unreachable: the topic cannot be read.
        """
        ends: dict[int, int] = {}
        assigned: list[TopicPartition] = []
        for partition in range(topic.partitions):
            low, high = self._range(topic, partition)
            if (first := start(partition, low, high)) < high:
                ends[partition] = high
                assigned.append(TopicPartition(topic.name, partition, first))
        self.consumer.assign(assigned)
        while ends:
            for message in self.consumer.consume(_BATCH, _BATCH_S):
                partition, offset, error = message.partition(), message.offset(), message.error()
                if error is None:
                    if offset < ends.get(partition, 0):
                        yield record_of(message)
                    if offset + 1 >= ends.get(partition, 0):
                        ends.pop(partition, None)
                elif error.code() == error._PARTITION_EOF:
                    ends.pop(partition, None)
                else:
                    raise KafkaException(error)

    def _range(self, topic: Topic, partition: int) -> tuple[int, int]:
        """Oldest and next offset; a partition just created or moved has no leader for a moment."""
        one = TopicPartition(topic.name, partition)
        name = f"{topic.name}[{partition}]"
        low, high = until_reachable(name, lambda: self.consumer.get_watermark_offsets(one, _REQUEST_S), _PATIENCE_S)
        return low, high

    def committed(self, topic: Topic, partition: int) -> int | None:
        """The group's offset, None when it never committed one."""
        [position] = self.consumer.committed([TopicPartition(topic.name, partition)], timeout=_REQUEST_S)
        return position.offset if position.offset >= 0 else None

    def commit(self, topic: Topic, offsets: dict[int, int]) -> None:
        """Keep next offsets by partition under the group's name."""
        self.consumer.commit(
            offsets=[TopicPartition(topic.name, partition, offset) for partition, offset in offsets.items()],
            asynchronous=False,
        )


@contextmanager
def log_reader(settings: Settings, group: str) -> Iterator[LogReader]:
    """A reader that is closed at the end. Raises `Unreachable`."""
    reader = LogReader(settings, group)
    try:
        yield reader
    finally:
        reader.consumer.close()
