"""The events that every contender gets: a market's history, as JSON on a broker's topics before the clock starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from infra import kafka
from infra.clock import Clock
from infra.settings import HOUR_MS, Settings
from infra.topics import Topics
from streams import history
from streams.bench.report import Pace, pace
from streams.contracts.events import EVENT_TYPES
from streams.simulator.history import events_per_search, write_history
from streams.simulator.market import Plan, build, with_searches
from streams.simulator.sending import Sender

_ENDED_MS_AGO = 5_000
_POLL_EVERY = 1_000


@dataclass(frozen=True)
class Sent:
    """What lies on the topics of one contender."""

    records: dict[str, int]
    value_bytes: int
    first_ms: int
    last_ms: int
    """Oldest and newest event time."""

    @property
    def total(self) -> int:
        return sum(self.records.values())


def make(folder: Path, events: int, hours: float, settings: Settings, clock: Clock, seed: int = 1) -> Pace:
    """Write about `events` events of the last `hours` into `folder`, some twice and some late, as in `simulate`; the
    pace of writing them."""
    until = clock.now_ms() - _ENDED_MS_AGO
    market = build(
        Plan(seed=seed, start_ms=until - int(hours * HOUR_MS), until_ms=until, searches=max(1, events // 8)),
        None,
    )
    market = with_searches(market, max(1, round(events / 1.01 / events_per_search(market))))
    began = perf_counter()
    written = write_history(market, folder, settings.late_horizon_ms, settings.currency)
    return pace(written.total, perf_counter() - began)


def send(
    folder: Path,
    settings: Settings,
    most: int | None = None,
    progress: Callable[[int], None] = lambda records: None,
) -> Sent:
    """Create the topics of `settings` and send the history in `folder`, or its `most` oldest events.

    A part is cut off at one moment for all topics, so that it is a shorter stretch of the same traffic.
    """
    kafka.create_topics(settings)
    topic_of = {name: topic.name for name, topic in zip(EVENT_TYPES, Topics.of(settings).events, strict=True)}
    logs = history.read(folder, settings.partitions)
    arrived = np.sort(np.concatenate([log.newest for log in logs.values()]))
    until = int(arrived[min(most or len(arrived), len(arrived)) - 1])
    sender = Sender(kafka.producer(settings, **{"linger.ms": 50}))
    encode = msgspec.json.Encoder().encode
    records: dict[str, int] = dict.fromkeys(EVENT_TYPES, 0)
    value_bytes, done = 0, 0
    for (name, _), log in logs.items():
        for event in log.events(int(np.searchsorted(log.newest, until, "right"))):
            value = encode(event)
            sender.send(topic_of[name], event.shopper.encode(), value)
            records[name] += 1
            value_bytes += len(value)
            done += 1
            if done % _POLL_EVERY == 0:
                sender.poll()
                progress(done)
    if lost := sender.finish():
        raise RuntimeError(f"the broker did not take {lost} of {done} records")
    return Sent(records, value_bytes, int(arrived[0]), until)
