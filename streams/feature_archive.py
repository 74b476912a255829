"""features.log to Parquet: every vector that was served, once.

The archive's own marks say where each partition goes on, and which messages it has seen: a message that a restarted
owner published again is dropped. Offsets are committed to Kafka as well, for lag tools only.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from feature_repo.archive import FeatureArchive, ServedVectors
from infra import kafka, metrics
from infra.failure import Failure
from infra.log import get_logger
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import FeatureRows
from streams.exactly_once import Checkpoint, Progress
from streams.topic_readers import check

log = get_logger(__name__)

GROUP = "feature-archive"
MOST_ROWS = 200_000
"""Rows that wait in memory, of all partitions together, before files are written: some 50 MB."""
_BATCH = 100
_REQUEST_S = 10.0


class ForeignArchive(Failure):
    """The archive goes on past the end of the topic: it was made from another one."""


class PartitionArchiver:
    """One partition of the log: collects messages, and writes them as one file a kind."""

    def __init__(self, archive: FeatureArchive, partition: int) -> None:
        self._archive = archive
        self._partition = partition
        mark = archive.resume(partition)
        self.next_offset = mark.next_offset
        seen = {sender: (int(generation), int(number)) for sender, (generation, number) in mark.note.items()}
        self._progress = Progress(f"{GROUP}/{partition}", Checkpoint(0, 1, None, [], {}, {}, seen, []))
        self._first_offset = mark.next_offset
        self._waiting: list[ServedVectors] = []
        self.rows = 0
        """Rows that wait to be written."""

    def start_at(self, low: int, high: int) -> int:
        """Offset to read from, of a partition that holds `low` to before `high`.

        Raises:
            ForeignArchive: the mark lies past the end.
        """
        if self.next_offset > high:
            raise ForeignArchive(
                f"the feature archive stands at offset {self.next_offset} of partition {self._partition}, whose log "
                f"ends at {high}: it was made from another topic. Move its folder away, or set KEYPULSE_HOME"
            )
        if low > self.next_offset:
            if self.next_offset:
                log.error(
                    "partition %d: offsets %d to %d were deleted before they were archived; training will miss them",
                    self._partition,
                    self.next_offset,
                    low - 1,
                )
            self._progress.seen.clear()
            self.next_offset = low
        return self.next_offset

    def take(self, offset: int, value: bytes, record_time_ms: int) -> None:
        """A message of the log. What it holds waits for `flush`; a repeated one is dropped.

        Raises:
            SequenceGap: the sender's messages are missing.
        """
        rows = msgspec.msgpack.decode(value, type=FeatureRows)
        self.next_offset = offset + 1
        if not self._progress.take(rows.envelope, may_join=True):
            metrics.MESSAGES_REPEATED.labels(GROUP).inc()
            return
        sums = np.frombuffer(rows.sums, "<f8").reshape(len(rows.entities), -1)
        # The message was sent once its vectors were readable, so its time is one by which they were.
        created_ms = max(rows.as_of, record_time_ms)
        self._waiting.append(ServedVectors(rows.entities, sums, rows.as_of, created_ms, rows.envelope.sequence))
        self.rows += len(rows.entities)

    def flush(self) -> int:
        """Write what waits; returns the number of rows."""
        if self.next_offset == self._first_offset:
            return 0
        written = self._archive.write(
            self._partition,
            self._first_offset,
            self.next_offset,
            self._waiting,
            {sender: list(seen) for sender, seen in self._progress.seen.items()},
        )
        self._first_offset = self.next_offset
        self._waiting = []
        self.rows = 0
        metrics.FEATURE_LOG_ROWS.inc(written)
        return written


def run(
    settings: Settings,
    *,
    once: bool = False,
    every_s: float = 300.0,
    stop: Event | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Archive the log until `stop` is set, or with `once` to where it ends now; returns the number of rows.

    One process archives all partitions.

    Args:
        every_s: how long rows wait at most for their file; many small files make training slow.
        progress: told how many messages of how many are read, those that were there when it began.

    Raises:
        ForeignArchive: the archive was made from another topic.
        SequenceGap: messages are missing.
        Unreachable: no broker.
        TopicMissing: nor topic.
        KafkaException: the topic can't be read.
    """
    topic = Topics.of(settings).features_log
    kafka.wait_ready(settings, topic)
    archive = FeatureArchive(settings.feature_log_path)
    partitions = [PartitionArchiver(archive, number) for number in range(topic.partitions)]
    consumer = kafka.consumer(settings, GROUP)
    written = 0
    try:
        bounds = [
            consumer.get_watermark_offsets(TopicPartition(topic.name, number), _REQUEST_S)
            for number in range(topic.partitions)
        ]
        starts = [partition.start_at(*bound) for partition, bound in zip(partitions, bounds, strict=True)]
        consumer.assign([TopicPartition(topic.name, number, start) for number, start in enumerate(starts)])
        ends = [high for _, high in bounds]
        total = sum(ends) - sum(starts)
        flushed_at = monotonic()
        while not (stop and stop.is_set()):
            behind = sum(max(0, end - partition.next_offset) for end, partition in zip(ends, partitions, strict=True))
            progress(total - behind, total)
            due = sum(partition.rows for partition in partitions) >= MOST_ROWS or monotonic() - flushed_at >= every_s
            if due or (once and not behind):
                written += _flush(partitions, consumer, topic.name)
                flushed_at = monotonic()
            if once and not behind:
                break
            for message in consumer.consume(_BATCH, timeout=0.5):
                if error := message.error():
                    check(error)
                    continue
                partitions[message.partition()].take(message.offset(), message.value(), message.timestamp()[1])
        written += _flush(partitions, consumer, topic.name)
    finally:
        consumer.close()
    return written


def _flush(partitions: list[PartitionArchiver], consumer: Consumer, topic: str) -> int:
    written = sum(partition.flush() for partition in partitions)
    offsets = [TopicPartition(topic, number, each.next_offset) for number, each in enumerate(partitions)]
    consumer.commit(offsets=offsets, asynchronous=False)
    return written
