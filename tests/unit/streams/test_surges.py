"""A surge is found within seconds, and chance, an outage or a busy hour is none."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings, load
from streams.contracts.events import Search
from streams.contracts.messages import Signal, Signals
from streams.normal_form import normal_form
from streams.surges import SURGE_AGAIN_MS, Ints, SurgeDetector
from tests.pipeline import Pipeline

START = 1_790_000_000_000

KEYWORDS, RATE, STEP_MS = 400, 40.0, 200
SHARES = 1 / np.arange(1, KEYWORDS + 1) ** 0.9
SHARES /= SHARES.sum()
SURGING = int(np.argmin(abs(SHARES * RATE - 0.5)))
"""A keyword that is searched every two seconds."""


@dataclass
class Market:
    """Searches of a market in which each keyword has its share, counted as the stage counts them."""

    rng: np.random.Generator
    usual: Ints
    now_ms: int = 0

    def __post_init__(self) -> None:
        settings = Settings()
        self.detector = SurgeDetector(settings.signal_surge_factor, settings.signal_surge_odds)
        self.detector.grow(KEYWORDS)

    def step(self, rate: float = RATE, shares: np.ndarray = SHARES) -> np.ndarray:
        """The keywords that surge after one more step."""
        self.now_ms += STEP_MS
        searches = self.rng.poisson(shares * rate * STEP_MS / 1_000)
        self.usual += searches
        (slots,) = np.nonzero(searches)
        if not len(slots):
            return slots
        self.detector.add(slots, searches[slots], self.usual[slots], int(self.usual.sum()), self.now_ms)
        return slots[self.detector.surging(slots)]


def market(seed: int, seconds: int = 3_000) -> Market:
    return Market(np.random.default_rng(seed), (SHARES * RATE * seconds).astype(np.int64))


@pytest.mark.parametrize("seed", range(5))
def test_a_surge_is_found_within_seconds(seed: int) -> None:
    calm = market(seed)
    for _ in range(100):
        calm.step()
    surging = SHARES * np.where(np.arange(KEYWORDS) == SURGING, 8.0, 1.0)
    started = calm.now_ms
    while SURGING not in calm.step(shares=surging):
        assert calm.now_ms - started < 10_000
    surge = calm.detector.surge(SURGING, calm.now_ms)
    assert surge.seen > 3 * surge.expected
    assert surge.seconds <= (calm.now_ms - started) / 1_000 + 10


@pytest.mark.parametrize("rate", [RATE, 50 * RATE])
def test_chance_is_rarely_a_surge_at_any_pace(rate: float) -> None:
    """Also when everything is searched far more at once: a busy hour, or an outage that is caught up with."""
    calm = market(0)
    before = calm.usual.sum()
    found = {(int(slot), step // 50) for step in range(1_000) for slot in calm.step(rate=rate)}
    assert len(found) <= (calm.usual.sum() - before) / 2_000


def test_a_surge_ends_when_it_is_over() -> None:
    calm = market(1)
    surging = SHARES * np.where(np.arange(KEYWORDS) == SURGING, 8.0, 1.0)
    for _ in range(100):
        calm.step(shares=surging)
    after = [SURGING in calm.step() for _ in range(300)]
    assert not any(after[150:])


def test_what_is_hardly_ever_searched_does_not_surge_by_a_few_searches() -> None:
    detector = SurgeDetector(factor=4, odds=1_000)
    detector.grow(2)
    for second in range(4):
        detector.add(np.array([1]), np.array([1]), np.array([second]), 1_000, second * 1_000)
    assert not detector.surging(np.array([1])).any()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 5))
def test_evidence_does_not_depend_on_how_searches_fall_into_batches(counts: list[int], more: int) -> None:
    """As long as they are all of one keyword: each batch adds its log-likelihood ratio."""
    once, many = (SurgeDetector(factor=4, odds=1e30) for _ in range(2))
    slots, of_all = np.array([0]), 1_000 * more
    for detector in (once, many):
        detector.grow(1)
    once.add(slots, np.array([sum(counts)]), np.array([more]), of_all, 1_000)
    for count in counts:
        many.add(slots, np.array([count]), np.array([more]), of_all, 1_000)
    assert once.surge(0, 1_000).seen == many.surge(0, 1_000).seen == sum(counts)
    assert once.surge(0, 1_000).expected == pytest.approx(many.surge(0, 1_000).expected)


def test_the_stage_signals_a_surge_with_what_it_saw() -> None:
    settings = load(partitions=1, windows="10m,1h")
    pipeline = Pipeline(settings, now_ms=START)
    rng = np.random.default_rng(0)
    for second in range(60):
        surges = second >= 50
        for number in range(12):
            keyword = f"desk lamp {number}"
            count = 16 if surges and number == 7 else rng.poisson(2)
            for shopper in range(count):
                _search(pipeline, f"{second}-{number}-{shopper}", keyword)
        pipeline.drain()
    surged = [signal for signal in _signals(pipeline) if signal.cause == "surged"]
    assert {signal.entity for signal in surged} == {f"keyword:{normal_form('desk lamp 7')}"}
    first = surged[0]
    assert first.metric == "searches"
    assert first.after >= settings.signal_min_count
    assert first.after > 3 * first.before
    assert first.window.endswith("s")
    assert first.event_time >= START + 50_000
    assert len(surged) <= 1 + (surged[-1].event_time - first.event_time) // SURGE_AGAIN_MS


def _search(pipeline: Pipeline, event_id: str, keyword: str) -> None:
    event = Search(
        event_id=event_id,
        event_time=pipeline.clock.now_ms(),
        schema_version=1,
        shopper="ann",
        search_id="s",
        query=keyword,
        category="home",
    )
    pipeline.send("search", event)


def _signals(pipeline: Pipeline) -> list[Signal]:
    log = pipeline.broker.logs[pipeline.topics.signals.name, 0]
    return [signal for one in log for signal in msgspec.msgpack.decode(one.value or b"", type=Signals).signals]
