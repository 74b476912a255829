"""Reads several topics at the pace of event time: of those that are behind, the one furthest behind comes next.

One consumer over several topics drains them at equal byte rates, so that in catch-up a small topic runs hours ahead of
a large one, and attribution would have to keep hours of clicks or purchases. So each topic has a consumer of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from msgspec import Struct

from infra.log import get_logger
from streams.stage import Record, record_of

log = get_logger(__name__)

_PATIENCE_S = 0.25
"""How long the topic furthest behind is waited for: as long as a fetch takes on a busy broker."""


class _Timed(Struct):
    event_time: int


_DECODER = msgspec.json.Decoder(_Timed)


class TopicReader:
    """Reads partitions of one topic, outside of any group's assignment."""

    def __init__(self, topic: str, consumer: Consumer) -> None:
        self.topic = topic
        self._consumer = consumer
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._times: dict[int, int] = {}

    def start(self, spans: Mapping[int, tuple[int, int]]) -> None:
        """Read these partitions and no others: each from an offset that exists, or is the end; and its end by now."""
        self._next = {partition: first for partition, (first, _) in spans.items()}
        self._ends = {partition: end for partition, (_, end) in spans.items()}
        self._times = dict.fromkeys(spans, 0)
        self._consumer.assign([TopicPartition(self.topic, *at) for at in self._next.items()])

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """At most `most` records; fewer when no more come within `timeout_s`.

        Raises:
            KafkaException: the consumer can't go on.
        """
        if not most or not self._next:
            return []
        records = []
        last = {}
        for message in self._consumer.consume(most, timeout_s):
            if error := message.error():
                check(error)
            else:
                record = record_of(message)
                records.append(record)
                last[record.partition] = record
        for partition, record in last.items():
            self._next[partition] = record.offset + 1
            self._times[partition] = _event_time(record, self._times[partition])
        return records

    @property
    def to_go(self) -> Mapping[int, int]:
        """Records that each partition is known to hold beyond what was read."""
        ends = {partition: self._end(partition) for partition in self._next}
        return {partition: max(ends[partition] - offset, 0) for partition, offset in self._next.items()}

    def reached(self, to_go: Mapping[int, int]) -> int:
        """Event time (ms) up to which all partitions that have records to go were read."""
        return min((self._times[partition] for partition, records in to_go.items() if records), default=0)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _end(self, partition: int) -> int:
        # As the last fetch told: costs no request. Negative before there was one.
        _, told = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
        return max(int(told), self._ends[partition])


def read(readers: Sequence[TopicReader], most: int, linger_s: float) -> list[Record]:
    """The next batch: at most `most` records, after at most `linger_s` in which it could fill.

    A topic that has less than a batch to go is read up to its end. Of the others only the one furthest behind in event
    time is read, so none gets two batches ahead; should it give nothing for a while (its broker is down), the next one
    is read.
    """
    behind: list[tuple[int, TopicReader]] = []
    near: list[TopicReader] = []
    for reader in readers:
        to_go = reader.to_go
        if sum(to_go.values()) < most:
            near.append(reader)
        else:
            behind.append((reader.reached(to_go), reader))
    records: list[Record] = []
    patience_s = 0.0 if behind else linger_s
    for reader in near:
        records += reader.read(most - len(records), patience_s)
        patience_s = 0.0
    patience_s = _PATIENCE_S
    for _, reader in sorted(behind, key=lambda each: each[0]):
        if taken := reader.read(most - len(records), patience_s):
            return records + taken
        patience_s = linger_s
    return records


def check(error: KafkaError) -> None:
    """Log what the client mends by itself.

    Raises:
        KafkaException: it doesn't.
    """
    if error.fatal() or not error.retriable():
        raise KafkaException(error)
    log.warning("%s", error.str())


def _event_time(record: Record, before: int) -> int:
    """Event time (ms) that reading has come to; a clock that is ahead of the broker's counts as the broker's."""
    try:
        return max(before, min(_DECODER.decode(record.value or b"").event_time, record.time_ms))
    except (ValueError, RecursionError):
        return before
