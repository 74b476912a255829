"""Runs a stage over the partitions that Kafka assigns to this process: the batch loop around `PartitionRunner`.

One consumer is the member of the group, by which Kafka says which partitions are ours; it reads nothing. Each topic has
a reader of its own (`streams.topic_readers`). Where a partition goes on is what its checkpoint says; offsets are
committed for lag tools, and to notice that checkpoints were lost.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from infra import kafka, metrics
from infra.clock import Clock
from infra.failure import Failure
from infra.log import get_logger
from infra.reach import until_reachable
from infra.settings import Settings
from infra.topics import Topic
from streams import topic_readers
from streams.exactly_once import CheckpointStore
from streams.membership import Membership
from streams.publisher import OverlappingPublisher
from streams.stage import PartitionRunner, Record, Stage
from streams.topic_readers import TopicReader

if TYPE_CHECKING:
    from confluent_kafka import Consumer

log = get_logger(__name__)

_REQUEST_S = 10.0
_READ_AHEAD_KB = 16_384
"""Of all readers together: bounds memory."""
_TOPIC = attrgetter("topic")


class CheckpointLost(Failure):
    """Kafka's committed offset is ahead of the checkpoint: Redis lost writes that it had acknowledged."""


class StageService:
    """Consumes a stage's input topics and steps the runner of each partition that is ours.

    `run` blocks until `stop` (from another thread or a signal handler) or until a runner fails; nothing that failed is
    committed. `heartbeat_ms` tells when the loop last went round.
    """

    def __init__(
        self,
        group: str,
        inputs: Sequence[Topic],
        make_stage: Callable[[int], Stage],
        settings: Settings,
        checkpoints: CheckpointStore,
        clock: Clock,
        instance: str = "",
    ) -> None:
        self._group = group
        self._inputs = {topic.name for topic in inputs}
        self._make_stage = make_stage
        self._settings = settings
        self._checkpoints = checkpoints
        self._clock = clock
        self._instance = instance
        self._runners: dict[int, PartitionRunner] = {}
        self._readers: list[TopicReader] = []
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._failure: BaseException | None = None
        self.heartbeat_ms = clock.now_ms()

    def stop(self) -> None:
        """Make `run` return after the batch at hand."""
        self._stopping.set()

    def wake(self) -> None:
        """Give partitions without records a turn too: time has passed for them. Called by a timer."""
        self._woken.set()

    def run(self) -> None:
        """The loop.

        Raises:
            Fenced, SequenceGap, TooManyBadRecords, CheckpointLost, Unreachable, KafkaException: as the runner or the
                client found.
        """
        producer = kafka.producer(self._settings, **{"linger.ms": 0})
        self._publisher = OverlappingPublisher(producer)
        # Static membership: a restart after kill -9 gets its partitions back at once.
        static = {"group.instance.id": f"{self._group}-{self._instance}"} if self._instance else {}
        self._membership = Membership()
        member = kafka.consumer(self._settings, self._group, error_cb=self._membership.heard, **static)
        ahead = {"queued.max.messages.kbytes": _READ_AHEAD_KB // len(self._inputs)}
        self._readers = [
            TopicReader(name, kafka.consumer(self._settings, self._group, **ahead)) for name in sorted(self._inputs)
        ]
        member.subscribe(sorted(self._inputs), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        log.info("%s: waiting for partitions of %s", self._group, ", ".join(sorted(self._inputs)))
        try:
            while not self._stopping.is_set():
                self._turn(member)
            self._snapshot_all()
            self._commit_offsets(member, asynchronous=False)
        finally:
            member.close()
            for reader in self._readers:
                reader.close()

    def _turn(self, member: Consumer) -> None:
        linger_s = self._settings.batch_linger_ms / 1_000
        # Gives callbacks their turn; its partitions are paused, so that there is no message but an error.
        news = member.poll(0 if self._runners else linger_s)
        if self._failure:
            raise self._failure
        if news is not None and (error := news.error()):
            self._membership.check(error)
        records = topic_readers.read(self._readers, self._settings.batch_records, linger_s)
        batches: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            batches[record.partition].append(record)
        woken = self._woken.is_set()
        self._woken.clear()
        for partition, runner in self._runners.items():
            batch = batches.get(partition, [])
            if not batch and not woken:
                continue
            for record_topic, count in Counter(map(_TOPIC, batch)).items():
                metrics.RECORDS_CONSUMED.labels(self._group, record_topic).inc(count)
            with metrics.BATCH_SECONDS.labels(self._group).time():
                runner.step(batch)
            metrics.BATCH_RECORDS.labels(self._group).observe(len(batch))
        if records:
            self._commit_offsets(member, asynchronous=True)
        self.heartbeat_ms = self._clock.now_ms()

    def _assigned(self, member: Consumer, assigned: list[TopicPartition]) -> None:
        # An exception in a callback would be lost in librdkafka: keep it for the loop.
        try:
            starts: list[TopicPartition] = []
            spans: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
            for partition in sorted({one.partition for one in assigned}):
                runner = self._runners.get(partition) or self._start(partition)
                for topic in (one.topic for one in assigned if one.partition == partition):
                    first, end = self._span(member, topic, partition, runner.offsets.get((topic, partition), 0))
                    starts.append(TopicPartition(topic, partition, first))
                    spans[topic][partition] = first, end
            self._check_not_behind(member, starts)
            member.assign(starts)
            member.pause(starts)
            for reader in self._readers:
                reader.start(spans[reader.topic])
        except Exception as failure:
            self._failure = failure
        metrics.PARTITIONS_OWNED.labels(self._group).set(len(self._runners))

    def _span(self, member: Consumer, topic: str, partition: int, offset: int) -> tuple[int, int]:
        """From where on there is something to read, and the end by now."""
        # The member is asked, as no fetch of its own holds up the answer. Just after a topic was made, its metadata may
        # name the wrong leader.
        one = TopicPartition(topic, partition)
        oldest, end = until_reachable(topic, lambda: member.get_watermark_offsets(one, _REQUEST_S), _REQUEST_S)
        if 0 < offset < oldest:
            log.error("%s[%d]: records %d to %d expired unread", topic, partition, offset, oldest - 1)
        return max(offset, oldest), end

    def _start(self, partition: int) -> PartitionRunner:
        stage = self._make_stage(partition)
        runner = PartitionRunner(
            stage,
            owner=f"{stage.name}/{partition}",
            store=self._checkpoints,
            publisher=self._publisher,
            clock=self._clock,
            snapshot_journal_bytes=self._settings.snapshot_journal_bytes,
        )
        runner.start()
        self._runners[partition] = runner
        log.info("%s: partition %d is ours, from %s", self._group, partition, runner.offsets or "the beginning")
        return runner

    def _revoked(self, member: Consumer, revoked: list[TopicPartition]) -> None:
        try:
            for partition in {one.partition for one in revoked}:
                self._runners[partition].stop()
            self._commit_offsets(member, asynchronous=False)
        except Exception as failure:
            self._failure = failure
        self._lost(member, revoked)

    def _lost(self, member: Consumer, lost: list[TopicPartition]) -> None:
        # All that there were: the range assignor takes everything back before it assigns anew.
        for reader in self._readers:
            reader.start({})
        for partition in {one.partition for one in lost}:
            self._runners.pop(partition, None)
            log.info("%s: partition %d is no longer ours", self._group, partition)
        metrics.PARTITIONS_OWNED.labels(self._group).set(len(self._runners))

    def _check_not_behind(self, member: Consumer, starts: list[TopicPartition]) -> None:
        committed = member.committed([TopicPartition(one.topic, one.partition) for one in starts], _REQUEST_S)
        for start, commit in zip(starts, committed, strict=True):
            if commit.offset > start.offset:
                raise CheckpointLost(
                    f"{self._group}: Kafka's committed offset of {start.topic}[{start.partition}] is {commit.offset}, "
                    f"the checkpoint says {start.offset}. Redis at checkpoint_redis_url lost writes; check "
                    "that it runs with appendonly yes and appendfsync always, then run `keypulse rebuild`"
                )

    def _snapshot_all(self) -> None:
        for runner in self._runners.values():
            runner.stop()

    def _commit_offsets(self, member: Consumer, asynchronous: bool) -> None:
        offsets = [
            TopicPartition(topic, partition, offset)
            for runner in self._runners.values()
            for (topic, partition), offset in runner.offsets.items()
        ]
        if offsets:
            member.commit(offsets=offsets, asynchronous=asynchronous)
