"""The outcomes of a history folder, counted by the same stage as live ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from infra.settings import HOUR_MS, Settings
from infra.topics import Topics
from scorers.experiments.outcomes import decoded
from streams import history
from streams.contracts.events import EVENT_TYPES, Event, EventName
from streams.deduplication import NEW
from streams.exactly_once import MemoryCheckpoints, Outgoing, Progress
from streams.shopper_stage import ShopperStage

_STEP_MS = HOUR_MS


def count_history(folder: Path, settings: Settings) -> pl.DataFrame:
    """Outcomes by campaign and minute (`outcomes.SCHEMA`).

    Raises:
        BadHistory: the folder can't be used.
    """
    return decoded(message.value for message in deltas(folder, settings) if message.value is not None)


def deltas(folder: Path, settings: Settings) -> Iterator[Outgoing]:
    """The messages that the shopper stage would send to `feature.deltas`.

    Raises:
        BadHistory: the folder can't be used.
    """
    topics = Topics.of(settings)
    logs = history.read(folder, settings.partitions)
    checkpoints = MemoryCheckpoints()
    for partition in range(settings.partitions):
        stage = ShopperStage(partition, settings, topics)
        owner = f"{stage.name}/{partition}"
        checkpoint = checkpoints.acquire(owner)
        stage.restore(checkpoint, Progress(owner, checkpoint))
        own: dict[EventName, history.EventLog] = {name: logs[name, partition] for name in EVENT_TYPES}
        arriving = {name: log.events() for name, log in own.items()}
        done = dict.fromkeys(own, 0)
        for moment in _moments(own):
            events: dict[EventName, list[Event]] = {}
            for name, log in own.items():
                end = int(np.searchsorted(log.newest, moment))
                arrived = islice(arriving[name], end - done[name])
                events[name] = [event for event in arrived if stage.judge(name, event) is NEW]
                done[name] = end
            yield from (message for message in stage.count(events, []).outgoing if message.topic == topics.deltas.name)


def _moments(logs: dict[EventName, history.EventLog]) -> range:
    """Ends of the hours in which something arrived, ms."""
    ends = [(int(log.newest[0]), int(log.newest[-1])) for log in logs.values() if len(log.newest)]
    if not ends:
        return range(0)
    first, last = min(begin for begin, _ in ends), max(end for _, end in ends)
    return range(first // _STEP_MS * _STEP_MS + _STEP_MS, last + 2 * _STEP_MS, _STEP_MS)
