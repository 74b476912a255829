"""The one way in which a stage takes a batch: process, commit, write, publish.

`PartitionRunner.step` is that order. `streams.service` feeds runners from Kafka; a backfill and the tests feed them by
hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol

from msgspec import Struct

from infra import metrics
from infra.clock import Clock
from infra.failure import Fenced
from streams.exactly_once import Checkpoint, CheckpointStore, Outgoing, Progress, TopicPartition, Write

if TYPE_CHECKING:
    from confluent_kafka import Message


class Record(Struct, frozen=True, gc=False):
    """A record as read from Kafka. `time_ms` is the broker's time stamp."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int


def record_of(message: Message) -> Record:
    """The record in a message that confluent-kafka consumed without an error."""
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.timestamp()[1],
    )


@dataclass(frozen=True)
class Outcome:
    """What follows from a batch: the journal entry by which the state changed, and the messages to send."""

    entry: bytes | None = None
    outgoing: Sequence[Outgoing] = ()


class Stage(Protocol):
    """The state of one partition. Everything it does is a function of what it was given; it touches no server but in
    `before_publish`."""

    name: str

    def restore(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """Become what snapshot and journal say. `progress` numbers messages from here on. Called once, first."""
        ...

    def process(self, records: Sequence[Record], now_ms: int) -> Outcome:
        """Take a batch (it may be empty: time has passed) and change the state."""
        ...

    def snapshot(self) -> bytes:
        """The whole state."""
        ...

    def before_publish(self, outgoing: Sequence[Outgoing], epoch: int) -> Sequence[int] | None:
        """Writes that must be visible before the messages are, e.g. vectors. Idempotent: repeated after a crash.

        Called with every batch, also when there is nothing to publish. Returns event times (ms), a sample, of what it
        made readable as features.
        """
        ...


class Publisher(Protocol):
    """Sends outbox messages in order."""

    def publish(self, outgoing: Sequence[Outgoing]) -> Callable[[], None] | None:
        """Send. Either the broker has acknowledged them all on return, or a call of what is returned waits for that."""
        ...


Probe = Callable[[str], None]
"""Called with the name of each point between two steps. Tests crash there."""


def no_probe(point: str) -> None:
    """The probe outside of tests."""


_P = ParamSpec("_P")


def _fencing_counted(
    method: Callable[Concatenate[PartitionRunner, _P], None],
) -> Callable[Concatenate[PartitionRunner, _P], None]:
    """Whatever refuses the owner's write, a checkpoint or what the stage writes to, counts in the metric."""

    @wraps(method)
    def counted(runner: PartitionRunner, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(runner, *args, **kwargs)
        except Fenced:
            metrics.STAGE_FENCED.labels(runner.stage.name).inc()
            raise

    return counted


@dataclass
class PartitionRunner:
    """Runs one stage over one partition under the exactly-once mechanism."""

    stage: Stage
    owner: str
    store: CheckpointStore
    publisher: Publisher
    clock: Clock
    snapshot_journal_bytes: int = 16_777_216
    probe: Probe = no_probe
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    _epoch: int = 0
    _journal_bytes: int = 0
    _published: int = 0
    _unacknowledged: int = 0
    _acknowledged: Callable[[], None] | None = None
    _sent: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    @_fencing_counted
    def start(self) -> None:
        """Take the partition over, restore, and publish again what the former owner may have left unpublished.

        Raises:
            Fenced: yet another owner was quicker.
        """
        checkpoint = self.store.acquire(self.owner)
        self._epoch = checkpoint.epoch
        self._progress = Progress(self.owner, checkpoint)
        self._sent, self._seen = dict(checkpoint.sent), dict(checkpoint.seen)
        self._journal_bytes = sum(map(len, checkpoint.journal))
        self.offsets = dict(checkpoint.offsets)
        self.stage.restore(checkpoint, self._progress)
        metrics.STAGE_RESTORES.labels(self.stage.name).inc()
        self._publish(checkpoint.outbox)

    @_fencing_counted
    def step(self, records: Sequence[Record]) -> None:
        """Process a batch exactly once.

        Raises:
            Fenced: another owner has taken over; nothing of the batch is published.
        """
        outcome = self.stage.process(records, self.clock.now_ms())
        self.probe("processed")
        self._settle()
        self._commit(outcome, records)
        self.probe("committed")
        self._publish(outcome.outgoing)
        self.probe("published")

    @_fencing_counted
    def stop(self) -> None:
        """Write a snapshot, so that the next start is quick. Optional: a crash loses nothing."""
        self._settle()
        self._write(Write(snapshot=self.stage.snapshot(), published=self._published))
        self._published = 0

    def _commit(self, outcome: Outcome, records: Sequence[Record]) -> None:
        offsets = {(record.topic, record.partition): record.offset + 1 for record in records}
        if outcome.entry is None and not outcome.outgoing and not offsets:
            return
        self._journal_bytes += len(outcome.entry or b"")
        snapshot = None
        if self._journal_bytes > self.snapshot_journal_bytes:
            snapshot = self.stage.snapshot()
            self._journal_bytes = 0
            # A state that outgrows the limit is not written whole with every batch.
            self.snapshot_journal_bytes = max(self.snapshot_journal_bytes, 2 * len(snapshot))
            metrics.SNAPSHOTS.labels(self.stage.name).inc()
        self._write(
            Write(
                entry=outcome.entry,
                snapshot=snapshot,
                offsets=offsets,
                sent={to: n for to, n in self._progress.sent.items() if self._sent.get(to) != n},
                seen={of: n for of, n in self._progress.seen.items() if self._seen.get(of) != n},
                outbox=outcome.outgoing,
                published=self._published,
            )
        )
        self.offsets.update(offsets)
        self._published = 0
        self._sent, self._seen = dict(self._progress.sent), dict(self._progress.seen)

    def _write(self, write: Write) -> None:
        metrics.CHECKPOINT_BYTES.labels(self.stage.name, "journal").inc(len(write.entry or b""))
        metrics.CHECKPOINT_BYTES.labels(self.stage.name, "snapshot").inc(len(write.snapshot or b""))
        with metrics.CHECKPOINT_SECONDS.labels(self.stage.name).time():
            self.store.commit(self.owner, self._epoch, write)

    def _publish(self, outgoing: Sequence[Outgoing]) -> None:
        event_times = self.stage.before_publish(outgoing, self._epoch)
        if event_times:
            now_ms = self.clock.now_ms()
            for event_time in event_times:
                metrics.EVENT_TO_FEATURE_SECONDS.observe(max(now_ms - event_time, 0) / 1_000)
        self.probe("written")
        if outgoing:
            self._acknowledged = self.publisher.publish(outgoing)
            self._unacknowledged = len(outgoing)

    def _settle(self) -> None:
        """Wait for the messages of the batch before: the broker's answer comes while the next batch is processed."""
        if self._acknowledged:
            self._acknowledged()
        self._published += self._unacknowledged
        self._acknowledged, self._unacknowledged = None, 0
