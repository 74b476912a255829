"""The first half of a backfill: history through the shopper stages, moment by moment.

The clock is event time. Moments are `EVERY_MS` of it apart or `EVERY_EVENTS` events, whichever comes first, where live
vectors are written every second: a row of the feature log is as of its own moment either way, and history would have
several rows an event otherwise.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.settings import HOUR_MS, Settings
from infra.topics import Topics
from streams import history
from streams.canonical import CanonicalForms
from streams.contracts.events import Event, EventName
from streams.deduplication import NEW, Verdict
from streams.exactly_once import Checkpoint, Outgoing, Progress, Write
from streams.shopper_stage import ShopperStage

EVERY_MS = HOUR_MS
EVERY_EVENTS = 20_000

Arrived = dict[EventName, list[Event]]


class Counted(NamedTuple):
    """What came of the events that arrived up to a moment, since the moment before."""

    as_of: int
    """The moment, ms. It is later than the time of each event."""
    deltas: list[Outgoing]
    """The messages to the entity stages, in order."""
    verdicts: dict[Verdict, int]
    of: int
    """Events in the whole history."""


def count(
    settings: Settings, folder: Path, checkpoints: Sequence[Checkpoint], canonical: CanonicalForms
) -> Iterator[Counted | list[Write]]:
    """Count the history in `folder`; after the last moment comes what to commit, partition by partition.

    Made for a process of its own: it switches off the garbage collector, which would go through all that is kept again
    and again (an eighth of the time) and find no cycle.

    Args:
        settings: the deployment's.
        folder: holds the history.
        checkpoints: those of the shopper partitions, as they were taken over.
        canonical: what keywords count under.

    Raises:
        BadHistory: the folder can't be used.
    """
    gc.disable()
    topics = Topics.of(settings)
    stages = [
        ShopperStage(partition, settings, topics, canonical=canonical) for partition in range(settings.partitions)
    ]
    progress = [Progress(f"{ShopperStage.name}/{partition}", taken) for partition, taken in enumerate(checkpoints)]
    for stage, taken, numbers in zip(stages, checkpoints, progress, strict=True):
        stage.restore(taken, numbers)
    logs = history.read(folder, settings.partitions)
    events = {place: log.events() for place, log in logs.items()}
    starts, total = dict.fromkeys(logs, 0), sum(len(log.newest) for log in logs.values())
    for moment in _moments([log.newest for log in logs.values()]):
        ends = {place: int(np.searchsorted(log.newest, moment)) for place, log in logs.items()}
        arrived: list[Arrived] = [{} for _ in stages]
        for (name, partition), start in starts.items():
            arrived[partition][name] = list(islice(events[name, partition], ends[name, partition] - start))
        starts = ends
        verdicts = dict.fromkeys(Verdict, 0)
        deltas = [
            message
            for stage, batch in zip(stages, arrived, strict=True)
            for message in _count(stage, batch, verdicts)
            if message.topic == topics.deltas.name
        ]
        yield Counted(moment, deltas, verdicts, total)
    yield [
        Write(snapshot=stage.snapshot(), sent=numbers.sent, seen=numbers.seen)
        for stage, numbers in zip(stages, progress, strict=True)
    ]


def _count(stage: ShopperStage, arrived: Arrived, verdicts: dict[Verdict, int]) -> Sequence[Outgoing]:
    """Messages that follow from a batch of one partition; its verdicts are added to `verdicts`."""
    new: Arrived = {}
    for name, events in arrived.items():
        judged = [stage.judge(name, event) for event in events]
        new[name] = [event for event, verdict in zip(events, judged, strict=True) if verdict is NEW]
        for verdict in verdicts:
            verdicts[verdict] += judged.count(verdict)
    return stage.count(new, []).outgoing


def _moments(newest: list[NDArray[np.int64]]) -> list[int]:
    """Moments (ms) at which to write vectors: each is later than the events counted at it, and the last than all."""
    times = np.sort(np.concatenate(newest))
    if not len(times):
        return []
    first, last = int(times[0]), int(times[-1])
    by_time = np.arange(first // EVERY_MS + 1, last // EVERY_MS + 1) * EVERY_MS
    by_count = times[EVERY_EVENTS::EVERY_EVENTS]
    return [*np.union1d(by_time, by_count).tolist(), last + 1]
