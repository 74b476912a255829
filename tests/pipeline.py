"""Both stages in one process, without a server: the broker's logs are lists, and a crash may strike at any point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import numpy as np

from feature_repo.memory import MemoryStore
from feature_repo.vectors import windows
from infra.clock import ManualClock
from infra.murmur2 import partition_of
from infra.settings import Settings
from infra.topics import Topics
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import EVENT_TYPES, Event, EventName
from streams.contracts.placement import check_placement
from streams.contracts.rejection import Rejected
from streams.entity_stage import EntityStage
from streams.exactly_once import MemoryCheckpoints, Outgoing
from streams.reference import recount, window_sums
from streams.shopper_stage import ShopperStage
from streams.stage import PartitionRunner, Record


class Crash(Exception):
    """kill -9, at the point that its text names."""


@dataclass
class CrashAt:
    """A probe that crashes at the n-th point it passes; and, when n falls on a publish, after half of its messages."""

    countdown: int

    def __call__(self, point: str) -> None:
        self.countdown -= 1
        if self.countdown == 0:
            raise Crash(point)


@dataclass
class MemoryBroker:
    """Topic partitions as lists. As a publisher it may crash half-way through."""

    logs: dict[tuple[str, int], list[Record]] = field(default_factory=lambda: defaultdict(list))
    probe: Callable[[str], None] = lambda point: None

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, time_ms: int) -> None:
        log = self.logs[topic, partition]
        log.append(Record(topic, partition, len(log), key, value, time_ms))

    def publish(self, outgoing: Sequence[Outgoing]) -> Callable[[], None]:
        for message in outgoing:
            self.probe("publishing")
            self.append(message.topic, max(message.partition, 0), message.key, message.value, 0)
        return lambda: self.probe("acknowledging")


class Pipeline:
    """The stages of `settings.partitions` partitions over one memory broker."""

    def __init__(self, settings: Settings, now_ms: int, canonical: CanonicalForms = NORMAL) -> None:
        self.settings = settings
        self.canonical = canonical
        self.topics = Topics.of(settings)
        self.clock = ManualClock(now_ms)
        self.broker = MemoryBroker()
        self.checkpoints = MemoryCheckpoints()
        self.store = MemoryStore(settings)
        self.topic_of = {name: topic.name for name, topic in zip(EVENT_TYPES, self.topics.events, strict=True)}
        self.past: Mapping[tuple[str, int], Sequence[Event]] = {}
        """What was backfilled of each log (event name, partition) before its topic's first record."""
        self.runners: dict[str, PartitionRunner] = {}
        self.crash = CrashAt(0)
        self.broker.probe = self._probe

    def send(self, name: EventName, event: Event, partition: int | None = None) -> None:
        """Append an event to its log, in its shopper's partition or a wrong one; its broker time is the clock's."""
        key = event.shopper.encode()
        if partition is None:
            partition = partition_of(key, self.settings.partitions)
        self.broker.append(self.topic_of[name], partition, key, msgspec.json.encode(event), self.clock.now_ms())

    def run(self, stage: str, partition: int, most: int = 1_000, topics: Sequence[str] | None = None) -> None:
        """One batch of a stage's partition; a crash in it is survived by a restart with nothing but what was kept."""
        owner = f"{stage}/{partition}"
        try:
            runner = self.runners.get(owner) or self._start(stage, partition)
            inputs = topics or (
                [topic.name for topic in self.topics.events] if stage == "shopper" else [self.topics.deltas.name]
            )
            records = []
            for topic in inputs:
                start = runner.offsets.get((topic, partition), 0)
                records += self.broker.logs[topic, partition][start : start + most]
            runner.step(records)
        except Crash:
            self.runners.pop(owner, None)

    def drain(self) -> None:
        """Run everything to the end of its input, then let windows catch up with the clock."""
        for stage in ("shopper", "entity"):
            for partition in range(self.settings.partitions):
                while self._behind(stage, partition):
                    self.run(stage, partition)
        self.clock.advance_to(self.clock.now_ms() + self.settings.entity_interval_ms)
        for partition in range(self.settings.partitions):
            self.run("entity", partition)
            self.clock.advance_to(self.clock.now_ms() + self.settings.entity_interval_ms)
            self.run("entity", partition)

    def mismatches(self) -> list[str]:
        """Online vectors that differ from the recount, each at its own as-of time."""
        decoded = {
            (name, partition): [
                *self.past.get((name, partition), ()),
                *self._valid(name, self.broker.logs[self.topic_of[name], partition]),
            ]
            for name in EVENT_TYPES
            for partition in range(self.settings.partitions)
        }
        horizon_ms, window_ms = self.settings.late_horizon_ms, self.settings.attribution_window_ms
        tiles = recount(decoded, horizon_ms, window_ms, self.canonical)
        different = []
        for entity, minutes in tiles.items():
            kind, key = entity.split(":", 1)
            vectors = self.store.vectors(kind, [key])
            as_of = int(vectors.as_of[0])
            expected = window_sums(minutes, windows(self.settings.windows), as_of or self.clock.now_ms())
            if not np.array_equal(vectors.sums[0], np.array(expected, np.float64)):
                different.append(f"{entity} as of {as_of}: online {vectors.sums[0]}, recounted {expected}")
        return different

    def _valid(self, name: EventName, log: Sequence[Record]) -> Iterator[Event]:
        decoder = EventDecoder(self.settings)
        for record in log:
            with suppress(Rejected):
                event = decoder.decode(name, record.value, record.time_ms)
                check_placement(record.key, event.shopper, record.partition, self.settings.partitions)
                yield event

    def _behind(self, stage: str, partition: int) -> bool:
        topics = self.topics.events if stage == "shopper" else (self.topics.deltas,)
        runner = self.runners.get(f"{stage}/{partition}")
        return runner is None or any(
            len(self.broker.logs[topic.name, partition]) > runner.offsets.get((topic.name, partition), 0)
            for topic in topics
        )

    def _start(self, stage: str, partition: int) -> PartitionRunner:
        runner = PartitionRunner(
            stage=ShopperStage(partition, self.settings, self.topics, canonical=self.canonical)
            if stage == "shopper"
            else EntityStage(partition, self.settings, self.topics, self.store),
            owner=f"{stage}/{partition}",
            store=self.checkpoints,
            publisher=self.broker,
            clock=self.clock,
            snapshot_journal_bytes=1,  # a snapshot early and often
            probe=self._probe,
        )
        runner.start()
        self.runners[runner.owner] = runner
        return runner

    def _probe(self, point: str) -> None:
        self.crash(point)
