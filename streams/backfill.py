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
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.archive import FeatureArchive
from feature_repo.vector_writer import VectorSink
from infra.failure import Failure
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topics
from streams import history
from streams.backfill_log import BackfillLog
from streams.deduplication import NEW, TOO_LATE
from streams.entity_stage import EntityStage
from streams.events import EVENT_TYPES, Event, EventName
from streams.exactly_once import CheckpointStore, Progress, Write
from streams.shopper_stage import ShopperStage
from streams.stage import Record, Stage

EVERY_MS = 10 * MINUTE_MS
EVERY_EVENTS = 20_000
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
        self._deltas: dict[int, list[Record]] = defaultdict(list)
        self._summary = Summary()

    def run(self, folder: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Summary:
        """Count the history in `folder`; `progress` is told how many events of how many are done.

        Raises:
            BadHistory: the folder can't be used.
            NotEmpty: there are checkpoints already.
        """
        logs = history.read(folder, self._settings.partitions)
        arriving = {place: log.events() for place, log in logs.items()}
        total = sum(len(log.frame) for log in logs.values())
        self._take_over()
        self._archive.clear()
        starts = dict.fromkeys(logs, 0)
        with BackfillLog(self._archive, self._settings.partitions) as log:
            for moment in _moments([log.newest for log in logs.values()]):
                ends = {place: int(np.searchsorted(log.newest, moment)) for place, log in logs.items()}
                for partition in range(self._settings.partitions):
                    events = {
                        name: list(islice(arriving[name, partition], ends[name, partition] - starts[name, partition]))
                        for name in EVENT_TYPES
                    }
                    self._count(partition, events)
                self._flush(log, moment)
                starts = ends
                self._summary.as_of = moment
                progress(self._summary.events, total)
            self._finish(log)
        self._summary.log_rows = log.rows
        # Checkpoints last: a backfill that was cut short is begun anew.
        self._commit()
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

    def _count(self, partition: int, events: dict[EventName, list[Event]]) -> None:
        stage = self._shoppers[partition]
        new: dict[EventName, list[Event]] = {}
        for name, arrived in events.items():
            verdicts = [stage.judge(name, event) for event in arrived]
            new[name] = [event for event, verdict in zip(arrived, verdicts, strict=True) if verdict is NEW]
            self._summary.events += len(arrived)
            self._summary.counted += len(new[name])
            self._summary.too_late += verdicts.count(TOO_LATE)
        for message in stage.count(new, []).outgoing:
            if message.topic == self._topics.deltas.name:
                record = Record(message.topic, message.partition, 0, None, message.value, 0)
                self._deltas[message.partition].append(record)

    def _flush(self, log: BackfillLog, as_of: int) -> None:
        for partition, stage in enumerate(self._entities):
            slots, sums = stage.process_past(self._deltas.pop(partition, []), as_of)
            log.add(partition, stage.entities, slots, sums, as_of, self._next_sequence(partition))

    def _finish(self, log: BackfillLog) -> None:
        for partition, stage in enumerate(self._entities):
            entities, sums, as_of = stage.vectors()
            log.add(partition, entities, np.arange(len(sums)), sums, as_of, self._next_sequence(partition))
            self._store.write(partition, self._owned[f"entity/{partition}"].epoch, entities, sums, as_of)
            self._store.confirm(partition)
            self._summary.entities += len(entities)

    def _next_sequence(self, partition: int) -> int:
        return self._owned[f"entity/{partition}"].progress.next_envelope(f"features.log/{partition}").sequence

    def _commit(self) -> None:
        for owner, (stage, epoch, progress) in self._owned.items():
            write = Write(snapshot=stage.snapshot(), sent=progress.sent, seen=progress.seen)
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
