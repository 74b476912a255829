"""Plays history through the *same* stages without a broker, and leaves what a live run would have left.

That is: vectors in the online store, the feature log in the archive, and checkpoints, so that a live run goes on from
there and one recount judges both. As in a live run the shopper stages have a process to themselves
(`streams.backfill.events`); the entity stages run here, and a thread writes the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from feature_repo.archive import FeatureArchive
from feature_repo.vector_writer import VectorSink
from infra import own_process
from infra.failure import Failure
from infra.settings import Settings
from infra.topics import Topics
from streams.backfill import events as backfill_events
from streams.backfill.events import Counted
from streams.backfill.log import BackfillLog
from streams.canonical import NORMAL, CanonicalForms
from streams.deduplication import NEW, TOO_LATE
from streams.entity_stage import EntityStage
from streams.exactly_once import Checkpoint, CheckpointStore, Progress, Write
from streams.shopper_stage import ShopperStage
from streams.stage import Record

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


class Backfill:
    """One backfill: `run` it once."""

    def __init__(
        self,
        settings: Settings,
        checkpoints: CheckpointStore,
        store: VectorSink,
        archive: FeatureArchive,
        canonical: CanonicalForms = NORMAL,
    ) -> None:
        """`canonical`: what keywords count under; the live workers must count under the same."""
        self._settings = settings
        self._checkpoints = checkpoints
        self._store = store
        self._archive = archive
        self._canonical = canonical
        topics = Topics.of(settings)
        self._stages = [EntityStage(partition, settings, topics, store) for partition in range(settings.partitions)]
        self._progress: list[Progress] = []
        self._summary = Summary()

    def run(self, folder: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Summary:
        """Count the history in `folder`; `progress` is told how many events of how many are done.

        Raises:
            BadHistory: the folder can't be used.
            NotEmpty: there are checkpoints already.
            ProcessDied: the process of the shopper stages was killed.
        """
        shoppers, entities = self._take_over(ShopperStage.name), self._take_over(EntityStage.name)
        for partition, (stage, taken) in enumerate(zip(self._stages, entities, strict=True)):
            self._progress.append(Progress(f"{EntityStage.name}/{partition}", taken))
            stage.restore(taken, self._progress[-1])
        writes: list[Write] = []
        with (
            closing(
                own_process.items(backfill_events.count, self._settings, folder, shoppers, self._canonical)
            ) as counting,
            BackfillLog(self._archive, self._settings.partitions) as log,
        ):
            first = next(counting)
            self._archive.clear()  # only now: it is kept when the folder can't be used
            for counted in chain([first], counting):
                if isinstance(counted, Counted):
                    self._add(counted, log)
                    progress(self._summary.events, counted.of)
                else:
                    writes = counted
            self._finish(entities, log)
        self._summary.log_rows = log.rows
        # Checkpoints last: a backfill that was cut short is begun anew.
        self._commit(ShopperStage.name, shoppers, writes)
        snapshots = [stage.snapshot() for stage in self._stages]
        self._commit(
            EntityStage.name,
            entities,
            [Write(snapshot=s, sent=p.sent, seen=p.seen) for s, p in zip(snapshots, self._progress, strict=True)],
        )
        return self._summary

    def _take_over(self, stage: str) -> list[Checkpoint]:
        """The checkpoints of a stage's partitions, which are empty."""
        taken = []
        for partition in range(self._settings.partitions):
            owner = f"{stage}/{partition}"
            checkpoint = self._checkpoints.acquire(owner)
            if checkpoint.snapshot or checkpoint.journal or checkpoint.offsets:
                raise NotEmpty(
                    f"{owner} has a checkpoint already, so history would be counted on top of it; run "
                    "`keypulse rebuild` first to forget all that was counted"
                )
            taken.append(checkpoint)
        return taken

    def _add(self, counted: Counted, log: BackfillLog) -> None:
        records = defaultdict(list)
        for message in counted.deltas:
            records[message.partition].append(Record(message.topic, message.partition, 0, None, message.value, 0))
        for partition, stage in enumerate(self._stages):
            slots, sums = stage.process_past(records[partition], counted.as_of)
            log.add(partition, stage.entities, slots, sums, counted.as_of, self._next_sequence(partition))
        self._summary.events += sum(counted.verdicts.values())
        self._summary.counted += counted.verdicts[NEW]
        self._summary.too_late += counted.verdicts[TOO_LATE]
        self._summary.as_of = counted.as_of

    def _finish(self, taken: list[Checkpoint], log: BackfillLog) -> None:
        """Write every vector as of the end, to the log and to the online store."""
        for partition, stage in enumerate(self._stages):
            entities, sums, as_of = stage.vectors()
            log.add(partition, entities, np.arange(len(sums)), sums, as_of, self._next_sequence(partition))
            self._store.write(partition, taken[partition].epoch, entities, sums, as_of)
            self._store.confirm(partition)
            self._summary.entities += len(entities)

    def _next_sequence(self, partition: int) -> int:
        return self._progress[partition].next_envelope(f"features.log/{partition}").sequence

    def _commit(self, stage: str, taken: list[Checkpoint], writes: list[Write]) -> None:
        for partition, (checkpoint, write) in enumerate(zip(taken, writes, strict=True)):
            self._checkpoints.commit(f"{stage}/{partition}", checkpoint.epoch, write)
