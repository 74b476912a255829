"""The market as it happens: events with wall-clock times, published as real producers would."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Producer

from infra.clock import Clock
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topics
from streams.contracts.events import EventName
from streams.simulator.bad_records import KINDS, spoil
from streams.simulator.catalogue import Floats
from streams.simulator.columns import Numbering, columns
from streams.simulator.history import EVENT_NAMES
from streams.simulator.market import Market
from streams.simulator.pages import search, show
from streams.simulator.purchases import LIVE_HASTE
from streams.simulator.records import records
from streams.simulator.sending import Sender
from streams.simulator.shock import Shock
from streams.simulator.tables import Tables

STEP_MS = 100
PAGE_LOADS_MS = 1_500
"""All impressions of a search happen within this time; the pace looks so far ahead."""
DUPLICATE_SHARE = 0.01
HELD_SHARE = 0.05
"""Share of events that are sent late, behind younger ones."""
HELD_MEAN_MS, HELD_LONGEST_MS = 2_000.0, 20_000.0


@dataclass
class Sent:
    """What a live run sent."""

    started_ms: int
    ended_ms: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """Different good events, by topic kind."""
    duplicates: int = 0
    held: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """Bad records, by the code they must be refused with."""
    unacknowledged: int = 0
    shock_at_ms: int | None = None

    @property
    def records(self) -> int:
        """All records: events, second copies and bad ones."""
        return sum(self.events.values()) + self.duplicates + sum(self.bad.values())


class Shoppers:
    """The market's shoppers from `started_ms` on: what they do in each step of time, encoded for the topics."""

    def __init__(
        self, market: Market, started_ms: int, rate: float, haste: float, currency: str, shock: Shock | None = None
    ) -> None:
        self._market, self._started_ms, self._rate, self._haste, self._shock = market, started_ms, rate, haste, shock
        self._rng = market.rng("live")
        self._tables = Tables(market, f"l{started_ms}", currency)
        self._numbering = Numbering()
        self._events_at_once = 7.0
        self._planned: list[int] = []
        self._counted = 0
        self._share: tuple[int, bool, Floats] | None = None

    def step(self, from_ms: int, to_ms: int) -> list[tuple[int, EventName, bytes, bytes]]:
        """The searches of [from, to) and all that follows from them: (event time, topic kind, key, JSON).

        As many searches as keep the events, past clicks and purchases among them, at the rate.
        """
        ahead = to_ms + PAGE_LOADS_MS
        while self._planned and self._planned[0] <= ahead:
            heapq.heappop(self._planned)
            self._counted += 1
        typical = to_ms + PAGE_LOADS_MS / 2  # half of the impressions of a search made now will have happened by then
        wanted = self._rate * (typical - self._started_ms) / 1_000 - self._counted
        most = 1.25 * self._rate * (to_ms - from_ms) / 1_000  # at the start, and after a pause
        count = round(min(max(0.0, wanted), most) / self._events_at_once)
        if not count:
            return []
        at = np.sort(self._rng.integers(from_ms, max(to_ms, from_ms + 1), count))
        concept = self._rng.choice(len(self._market.concepts), count, p=self._shares(to_ms))
        pages = show(self._rng, self._market, search(self._rng, self._market, at, concept), self._haste)
        self._events_at_once += 0.1 * (1 + len(pages.impressions.item) / count - self._events_at_once)
        happened = []
        for name, made in columns(self._market, pages, self._numbering).items():
            for time, key, value in records(self._tables, name, made):
                happened.append((time, name, key, value))
                if time <= ahead:
                    self._counted += 1
                else:
                    heapq.heappush(self._planned, time)
        return happened

    def _shares(self, now_ms: int) -> Floats:
        """Share of each concept in the searches of this minute, the shock included."""
        shaken = self._shock is not None and now_ms - self._started_ms >= self._shock.at_s * 1_000
        minute = now_ms // MINUTE_MS
        if self._share is None or self._share[:2] != (minute, shaken):
            intensity = self._market.demand.intensity(np.array([now_ms]))[0]
            if shaken and self._shock is not None:
                intensity[self._shock.concept] *= self._shock.factor
            self._share = (minute, shaken, intensity / intensity.sum())
        return self._share[2]


class Publisher:
    """Sends events when they are due; some later, some twice, and bad records among them."""

    def __init__(
        self, settings: Settings, producer: Producer, rng: np.random.Generator, sent: Sent, bad_ratio: float
    ) -> None:
        self._settings, self._sender, self._rng = settings, Sender(producer), rng
        self._sent, self._bad_ratio = sent, bad_ratio
        kinds = dict(zip(EVENT_NAMES, Topics.of(settings).events, strict=True))
        self._topic = {name: topic.name for name, topic in kinds.items()}
        self._due: list[tuple[int, int, EventName, bytes, bytes, bool]] = []
        self._order = 0

    def add(self, events: list[tuple[int, EventName, bytes, bytes]], end_ms: int) -> None:
        """Plan events that happen before `end_ms`; the others never will. A late one is sent at the end at last."""
        luck = self._rng.random((len(events), 2)).tolist()
        for (time, name, key, value), (late, twice) in zip(events, luck, strict=True):
            if time >= end_ms:
                continue
            due = time
            if late < HELD_SHARE:
                due = min(end_ms, time + int(min(self._rng.exponential(HELD_MEAN_MS), HELD_LONGEST_MS)))
                self._sent.held += 1
            self._plan(due, name, key, value, again=False)
            if twice < DUPLICATE_SHARE:
                self._plan(min(end_ms, due + int(self._rng.integers(1, 5_000))), name, key, value, again=True)

    def send(self, now_ms: int) -> None:
        """Send what is due."""
        while self._due and self._due[0][0] <= now_ms:
            _, _, name, key, value, again = heapq.heappop(self._due)
            self._sender.send(self._topic[name], key, value)
            if again:
                self._sent.duplicates += 1
            else:
                self._sent.events[name] += 1
            if self._rng.random() < self._bad_ratio:
                number = sum(self._sent.bad.values())
                code, bad = spoil(number % KINDS, value, f"bad{self._sent.started_ms}-{number}", self._settings)
                self._sender.send(self._topic[name], key, bad)
                self._sent.bad[code] += 1
        self._sender.poll()

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        self._sent.unacknowledged = self._sender.finish()

    def _plan(self, due: int, name: EventName, key: bytes, value: bytes, again: bool) -> None:
        self._order += 1
        heapq.heappush(self._due, (due, self._order, name, key, value, again))


def run(
    market: Market,
    settings: Settings,
    producer: Producer,
    clock: Clock,
    wait: Callable[[float], Any],
    *,
    rate: float,
    duration_s: float,
    shock: Shock | None = None,
    bad_ratio: float = 0.0,
    haste: float = LIVE_HASTE,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Sent], None] | None = None,
) -> Sent:
    """Publish `rate` events a second for `duration_s` seconds, or until `stop`; what was sent.

    `haste` divides the delay from click to purchase (minutes to hours), so that a short run sees its purchases.
    """
    started = clock.now_ms()
    end = started + int(duration_s * 1_000)
    sent = Sent(started, shock_at_ms=started + int(shock.at_s * 1_000) if shock else None)
    shoppers = Shoppers(market, started, rate, haste, settings.currency, shock)
    publisher = Publisher(settings, producer, market.rng("live arrivals"), sent, bad_ratio)
    reached = started
    while reached < end and not stop():
        wait(max(0.0, (reached + STEP_MS - clock.now_ms()) / 1_000))
        now = min(clock.now_ms(), end)
        publisher.add(shoppers.step(reached, now), end)
        publisher.send(now)
        reached = now
        if progress:
            progress(sent)
    publisher.send(reached)
    publisher.finish()
    sent.ended_ms = reached
    return sent
