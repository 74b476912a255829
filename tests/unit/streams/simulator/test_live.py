"""The live market, on a clock and a producer of the tests' own: what is sent and when."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from infra.clock import ManualClock
from infra.settings import Settings, load
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import Click, Event, EventName, Impression, Purchase, Search
from streams.contracts.rejection import Rejected
from streams.simulator.live import Sent, run
from streams.simulator.market import Market
from streams.simulator.shock import Shock

RATE, SECONDS = 400, 60


class Recorder:
    """Takes records as a producer does, and notes when."""

    def __init__(self, clock: ManualClock, refuse_first: int = 0) -> None:
        self.clock = clock
        self.records: list[tuple[int, str, bytes, bytes]] = []
        self._refuse = refuse_first

    def produce(self, topic: str, key: bytes, value: bytes, on_delivery: Callable[..., None]) -> None:
        if self._refuse:
            self._refuse -= 1
            raise BufferError("queue full")
        self.records.append((self.clock.now_ms(), topic, key, value))

    def poll(self, timeout: float) -> int:
        return 0

    def flush(self, timeout: float) -> int:
        return 0


def live(market: Market, settings: Settings, **options: Any) -> tuple[Sent, Recorder]:
    clock = ManualClock(market.plan.until_ms + 60_000)
    recorder = Recorder(clock, options.pop("refuse_first", 0))

    def wait(seconds: float) -> None:
        clock.advance_to(clock.now_ms() + max(1, round(seconds * 1_000)))

    options = {"rate": RATE, "duration_s": SECONDS} | options
    return run(market, settings, recorder, clock, wait, **options), recorder  # type: ignore[arg-type]


def decoded(recorder: Recorder, settings: Settings) -> list[tuple[int, bytes, Event]]:
    decoder = EventDecoder(settings)
    names: dict[str, EventName] = {f"events.{name}": name for name in ("search", "impression", "click", "purchase")}
    return [(at, key, decoder.decode(names[topic], value, at)) for at, topic, key, value in recorder.records]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load()


@pytest.fixture(scope="module")
def ran(small_market: Market, settings: Settings) -> tuple[Sent, list[tuple[int, bytes, Event]]]:
    sent, recorder = live(small_market, settings)
    return sent, decoded(recorder, settings)


def test_the_pace_is_steady_and_as_asked(ran: tuple[Sent, list[tuple[int, bytes, Event]]]) -> None:
    sent, events = ran
    per_second = np.bincount([(at - sent.started_ms) // 1_000 for at, _, _ in events])[1:SECONDS]
    assert abs(len(events) / SECONDS / RATE - 1) < 0.05
    assert per_second.min() > 0.6 * RATE
    assert per_second.max() < 1.5 * RATE


def test_events_carry_wall_clock_times_and_come_when_they_happen(
    ran: tuple[Sent, list[tuple[int, bytes, Event]]],
) -> None:
    sent, events = ran
    delay = np.array([at - event.event_time for at, _, event in events])
    assert delay.min() >= 0
    assert np.median(delay) <= 100
    assert 0.02 < np.mean(delay > 500) < 0.08
    assert delay.max() <= 26_000
    assert min(event.event_time for _, _, event in events) >= sent.started_ms


def test_second_copies_and_counts_are_told(ran: tuple[Sent, list[tuple[int, bytes, Event]]]) -> None:
    sent, events = ran
    times = Counter(event.event_id for _, _, event in events)
    assert sum(times.values()) - len(times) == sent.duplicates
    assert 0.005 < sent.duplicates / len(times) < 0.015
    assert sent.records == len(events)
    assert sum(sent.events.values()) == len(times)


def test_clicks_follow_impressions_and_purchases_follow_clicks(
    ran: tuple[Sent, list[tuple[int, bytes, Event]]],
) -> None:
    _, events = ran
    shown, clicked = set(), set()
    kinds: dict[type, list[Any]] = defaultdict(list)
    for _, key, event in events:
        assert key.decode() == event.shopper
        kinds[type(event)].append(event)
    shown = {(event.search_id, event.item, event.position) for event in kinds[Impression]}
    assert {event.search_id for event in kinds[Impression]} <= {event.search_id for event in kinds[Search]}
    assert kinds[Click]
    for click in kinds[Click]:
        assert (click.search_id, click.item, click.position) in shown
    clicked = {(click.shopper, click.item) for click in kinds[Click]}
    assert kinds[Purchase]
    assert {(bought.shopper, bought.item) for bought in kinds[Purchase]} <= clicked


def test_a_shock_multiplies_the_searches_from_its_moment_on(small_market: Market, settings: Settings) -> None:
    concept = int(np.argsort(small_market.concepts.weight)[-20])
    base = small_market.concepts.weight[concept]
    shock = Shock(small_market.concepts.text[concept], concept, 8.0, SECONDS / 2)
    sent, recorder = live(small_market, settings, shock=shock, rate=1_500)
    texts = set(np.array(small_market.keywords.text)[small_market.keywords.concept == concept].tolist())
    assert sent.shock_at_ms == sent.started_ms + 30_000
    searched: dict[bool, list[bool]] = {False: [], True: []}
    for _, _, event in decoded(recorder, settings):
        if isinstance(event, Search):
            searched[event.event_time >= sent.shock_at_ms].append(event.query in texts)
    before, after = np.mean(searched[False]), np.mean(searched[True])
    assert after / before > 4
    assert before < 4 * base


def test_bad_records_are_refused_with_the_code_that_was_told(small_market: Market, settings: Settings) -> None:
    sent, recorder = live(small_market, settings, bad_ratio=0.05, duration_s=15)
    decoder = EventDecoder(settings)
    refused: Counter[str] = Counter()
    good = 0
    for at, topic, _, value in recorder.records:
        name: EventName = topic.removeprefix("events.")  # type: ignore[assignment]
        try:
            decoder.decode(name, value, at)
            good += 1
        except Rejected as rejection:
            refused[rejection.code] += 1
    assert refused == sent.bad
    assert set(refused) == {"invalid", "unknown_schema", "future", "oversized", "malformed"}
    assert good == sum(sent.events.values()) + sent.duplicates


def test_a_full_queue_is_waited_for(small_market: Market, settings: Settings) -> None:
    sent, recorder = live(small_market, settings, duration_s=3, refuse_first=20)
    assert len(recorder.records) == sent.records > 0


def test_stopping_ends_it_early(small_market: Market, settings: Settings) -> None:
    sent, recorder = live(small_market, settings, stop=lambda: len(seen) >= 50, progress=lambda so_far: seen.append(1))
    assert sent.ended_ms - sent.started_ms < 10_000
    assert len(recorder.records) == sent.records


seen: list[int] = []


def test_two_runs_share_no_id(small_market: Market, settings: Settings) -> None:
    sent, recorder = live(small_market, settings, duration_s=2)
    assert all(f"l{sent.started_ms}".encode() in value for _, _, _, value in recorder.records)
    assert msgspec.json.decode(recorder.records[0][3])["event_id"].startswith("l")
