"""Plays history through the *same* stages without a broker, and leaves what a live run would have left.

That is: vectors in the online store, the feature log in the archive, and checkpoints, so that a live run goes on from
there and one recount judges both. The clock is event time. Vectors are written every `EVERY_MS` of it or every
`EVERY_EVENTS` events, whichever comes first, rather than every second: a row of the log is as of its own moment either
way, and history would have several rows an event otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.archive import FeatureArchive, ServedVectors
from feature_repo.vector_writer import VectorSink
from infra.failure import Failure
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topics
from streams import history
from streams.deduplication import NEW, TOO_LATE
from streams.entity_stage import EntityStage
from streams.events import Event, EventName
from streams.exactly_once import CheckpointStore, Progress, Write
from streams.messages import FeatureRows
from streams.shopper_stage import ShopperStage
from streams.stage import Outcome, Record, Stage

EVERY_MS = 10 * MINUTE_MS
EVERY_EVENTS = 20_000
_ARCHIVE_ROWS = 500_000
SOURCE = "backfill"
"""Name of the backfill's files in the archive."""


class NotEmpty(Failure):
    """There are checkpoints already: history would be counted on top of what was counted live."""


@dataclass
class Summary:
    """What a backfill did."""

    events: int = 0
    counted: int = 0
    too_late: int = 0
    entities: int = 0
    log_rows: int = 0
    as_of: int = 0
    """Event time up to which it counted, ms."""


class _Owned(NamedTuple):
    """A stage's partition that was taken over."""

    stage: Stage
    epoch: int
    progress: Progress


class Backfill:
    """One backfill: `run` it once."""

    def __init__(
        self, settings: Settings, checkpoints: CheckpointStore, store: VectorSink, archive: FeatureArchive
    ) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._store = store
        self._archive = archive
        self._topics = Topics.of(settings)
        partitions = range(settings.partitions)
        self._shoppers = [ShopperStage(partition, settings, self._topics) for partition in partitions]
        self._entities = [EntityStage(partition, settings, self._topics, store) for partition in partitions]
        self._owned: dict[str, _Owned] = {}
        self._served: list[list[ServedVectors]] = [[] for _ in partitions]
        self._rows = [0 for _ in partitions]
        self._archived = [0 for _ in partitions]
        self._deltas: dict[int, list[Record]] = defaultdict(list)
        self._summary = Summary()

    def run(self, folder: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Summary:
        """Count the history in `folder`; `progress` is told how many events of how many are done.

        Raises:
            BadHistory: the folder can't be used.
            NotEmpty: there are checkpoints already.
        """
        logs = history.read(folder, self._settings.partitions)
        total = sum(len(log.frame) for log in logs.values())
        self._take_over()
        self._archive.clear()
        starts = dict.fromkeys(logs, 0)
        for moment in _moments([log.newest for log in logs.values()]):
            ends = {place: int(np.searchsorted(log.newest, moment)) for place, log in logs.items()}
            for partition in range(self._settings.partitions):
                events = {
                    name: self._judged(partition, name, list(log.events(starts[name, number], ends[name, number])))
                    for (name, number), log in logs.items()
                    if number == partition
                }
                self._route(self._shoppers[partition].count(events, []))
            self._flush(moment)
            starts = ends
            self._summary.as_of = moment
            progress(self._summary.events, total)
        self._finish()
        return self._summary

    def _take_over(self) -> None:
        stages: list[Stage] = [*self._shoppers, *self._entities]
        for number, stage in enumerate(stages):
            owner = f"{stage.name}/{number % self._settings.partitions}"
            checkpoint = self._checkpoints.acquire(owner)
            if checkpoint.snapshot or checkpoint.journal or checkpoint.offsets:
                raise NotEmpty(
                    f"{owner} has a checkpoint already, so history would be counted on top of it; run "
                    "`keypulse rebuild` first to forget all that was counted"
                )
            progress = Progress(owner, checkpoint)
            stage.restore(checkpoint, progress)
            self._owned[owner] = _Owned(stage, checkpoint.epoch, progress)

    def _judged(self, partition: int, name: EventName, events: list[Event]) -> list[Event]:
        stage = self._shoppers[partition]
        verdicts = [stage.judge(name, event) for event in events]
        new = [event for event, verdict in zip(events, verdicts, strict=True) if verdict is NEW]
        self._summary.events += len(events)
        self._summary.counted += len(new)
        self._summary.too_late += sum(verdict is TOO_LATE for verdict in verdicts)
        return new

    def _route(self, outcome: Outcome) -> None:
        for message in outcome.outgoing:
            if message.topic == self._topics.deltas.name:
                record = Record(message.topic, message.partition, 0, None, message.value, 0)
                self._deltas[message.partition].append(record)

    def _flush(self, as_of: int) -> None:
        for partition, stage in enumerate(self._entities):
            outcome = stage.process(self._deltas.pop(partition, []), as_of)
            for message in outcome.outgoing:
                if message.topic == self._topics.features_log.name and message.value:
                    self._serve(partition, msgspec.msgpack.decode(message.value, type=FeatureRows))

    def _serve(self, partition: int, rows: FeatureRows) -> None:
        sums: NDArray[np.float64] = np.frombuffer(rows.sums, "<f8").reshape(len(rows.entities), -1)
        served = ServedVectors(rows.entities, sums, rows.as_of, rows.as_of, rows.envelope.sequence)
        self._served[partition].append(served)
        self._rows[partition] += len(rows.entities)
        if self._rows[partition] > _ARCHIVE_ROWS:
            self._write_archive(partition)

    def _write_archive(self, partition: int) -> None:
        served = self._served[partition]
        if served:
            first, following = self._archived[partition], self._archived[partition] + len(served)
            self._summary.log_rows += self._archive.write(partition, first, following, served)
            self._archived[partition] = following
            self._rows[partition] = 0
            served.clear()

    def _finish(self) -> None:
        for number, stage in enumerate(self._entities):
            _, epoch, progress = self._owned[f"entity/{number}"]
            entities, sums, as_of = stage.vectors()
            self._summary.entities += len(entities)
            sequence = progress.next_envelope(f"features.log/{number}").sequence
            self._served[number].append(ServedVectors(entities, sums, as_of, as_of, sequence))
            self._write_archive(number)
            self._store.write(number, epoch, entities, sums, as_of)
            self._store.confirm(number)
        # Checkpoints last: a backfill that was cut short is begun anew.
        for owner, (owned, epoch, progress) in self._owned.items():
            write = Write(snapshot=owned.snapshot(), sent=progress.sent, seen=progress.seen)
            self._checkpoints.commit(owner, epoch, write)


def _moments(newest: list[NDArray[np.int64]]) -> list[int]:
    """Moments (ms) at which to write vectors: each is later than the events counted at it, and the last than all."""
    times = np.sort(np.concatenate(newest))
    if not len(times):
        return []
    first, last = int(times[0]), int(times[-1])
    by_time = np.arange(first // EVERY_MS + 1, last // EVERY_MS + 1) * EVERY_MS
    by_count = times[EVERY_EVENTS::EVERY_EVENTS]
    return [*np.union1d(by_time, by_count).tolist(), last + 1]
