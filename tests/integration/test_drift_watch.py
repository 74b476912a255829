"""The drift watch on a real store, broker and feature log: it finds what the counts say, and again after a restart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY
from redis import Redis

from feature_repo.archive import FeatureArchive, ServedVectors
from feature_repo.state_writer import StateWriter
from feature_repo.vector_reader import VectorReader
from feature_repo.vector_writer import VectorWriter
from feature_repo.vectors import sum_names
from infra import kafka
from infra.clock import ManualClock
from infra.settings import HOUR_MS, MINUTE_MS, Settings
from infra.topics import Topics
from streams.agents.catalogue import CatalogueAgent
from streams.agents.live_items import RedisLiveItems
from streams.contracts.examples import PRODUCT, SUGGESTIONS
from streams.contracts.messages import Signal, Signals
from streams.drift.watch import DriftWatch, archived_looks
from streams.exactly_once import Outgoing
from streams.stage import Record

pytestmark = pytest.mark.integration
START = 1_760_000_000_000 // (6 * HOUR_MS) * (6 * HOUR_MS)
REPLACE = msgspec.structs.replace


class Market:
    """One category and one adopted keyword, whose counts grow from look to look."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.online = Redis.from_url(settings.online_redis_url)
        self.clock = ManualClock(START)
        self.source = VectorReader(self.online, settings)
        self.live = RedisLiveItems(self.online)
        topics = Topics.of(settings)
        catalogue = CatalogueAgent(settings, self.source, StateWriter(self.online), self.live)
        value = msgspec.json.encode(PRODUCT)
        catalogue.handle([Record(topics.product_state.name, 0, 0, PRODUCT.item.encode(), value, START)], START)
        self._writer = VectorWriter(self.online, settings)
        self._writer.acquire(0, 1)
        self._sums = np.zeros((2, len(sum_names(settings.windows))))
        self.served: list[ServedVectors] = []

    def count(self, **counts: int) -> None:
        """Add impressions and clicks of a minute to category and pair, and write both."""
        self.clock.advance_to(self.clock.now_ms() + MINUTE_MS)
        for metric, count in counts.items():
            self._sums[:, sum_names(self.settings.windows).index(f"{metric}_7d")] += count
        entities = ["category:shoes", "pair:i-9|boot rain"]
        self._writer.write(0, 1, entities, self._sums, self.clock.now_ms())
        now = self.clock.now_ms()
        self.served.append(ServedVectors(entities, self._sums.copy(), now, now, len(self.served)))

    def watch(self) -> DriftWatch:
        return DriftWatch(self.settings, self.source, self.live, self.clock)


def signals(outgoing: list[Outgoing]) -> list[Signal]:
    packed = [msgspec.msgpack.decode(message.value or b"", type=Signals) for message in outgoing]
    return [signal for message in packed for signal in message.signals]


def adopt(settings: Settings, p_click: float, items: tuple[str, ...] = ("i-9",)) -> None:
    """The market's keyword is in a campaign, whose P(click) was published."""
    [suggestion] = SUGGESTIONS.suggestions
    adopted = REPLACE(suggestion, adopted=True, p_click=p_click, items=list(items))
    producer = kafka.producer(settings)
    value = msgspec.json.encode(REPLACE(SUGGESTIONS, suggestions=[adopted]))
    producer.produce(Topics.of(settings).suggestions.name, key="c-3", value=value)
    assert producer.flush(30) == 0


def measured(metric: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"keypulse_{metric}", {"category": "shoes", **labels})


def test_drift_and_calibration_are_told_from_the_stores_counts(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    market = Market(integration_settings)
    adopt(integration_settings, p_click=0.1)

    watch = market.watch()
    for _ in range(40):
        market.count(impressions=500, clicks=20)
        assert watch.look() == []
    assert measured("live_calibration") == pytest.approx(0.4), "of those foreseen had every place been the first"
    assert measured("drift_ratio", rate="calibration") == 1.0

    changed = market.clock.now_ms()
    told: list[Signal] = []
    for _ in range(20):
        market.count(impressions=500, clicks=60)
        told += signals(watch.look())
    assert {(signal.entity, signal.cause) for signal in told} == {("category:shoes", "drifted")}
    assert {signal.metric for signal in told} == {"ctr", "calibration"}
    assert len(told) > 2, "told again while it lasts"
    for metric, before in {"ctr": 40_000, "calibration": 400_000}.items():
        last = [signal for signal in told if signal.metric == metric][-1]
        assert (last.before, last.after) == pytest.approx((before, 3 * before), rel=0.01)
        assert last.event_time == changed
        assert measured("drift_ratio", rate=metric) == pytest.approx(3, rel=0.01)
    watch.close()
    assert measured("drift_ratio", rate="ctr") is None, "another worker may measure it now"


def test_a_restarted_watch_knows_from_the_archived_log_what_it_knew(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    market = Market(integration_settings)
    adopt(integration_settings, p_click=0.19, items=("i-9", "i-10"))
    for _ in range(120):
        market.count(impressions=500, clicks=20)
    began = market.clock.now_ms()
    for _ in range(60):
        market.count(impressions=500, clicks=10)
    FeatureArchive(integration_settings.feature_log_path).write(0, 0, 1, market.served)

    restarted = market.watch()
    told = signals(restarted.look())
    restarted.close()
    assert {signal.metric: (signal.before, signal.after) for signal in told} == {
        "ctr": pytest.approx((40_000, 20_000), rel=0.05),
        # Of two items that together have .19, each has .1.
        "calibration": pytest.approx((400_000, 200_000), rel=0.15),
    }
    for signal in told:
        assert signal.event_time == pytest.approx(began, abs=10 * MINUTE_MS)


def test_the_archive_is_looked_at_every_ten_minutes_in_order(integration_settings: Settings) -> None:
    width = len(sum_names(integration_settings.windows))

    def vectors(*values: float) -> NDArray[np.float64]:
        return np.array([[value] * width for value in values])

    FeatureArchive(integration_settings.feature_log_path).write(
        0,
        0,
        1,
        [
            ServedVectors(["category:a", "category:b"], vectors(3, 30), START + 10 * MINUTE_MS, START, 2),
            ServedVectors(["category:a"], vectors(1), START + 1_000, START, 0),
            ServedVectors(["category:a", "item:i"], vectors(2, 9), START + 2_000, START, 1),
            ServedVectors(["category:a"], vectors(99), START - 1, START, 0),
        ],
    )
    looks = [
        (keys, found.sums[:, 0].tolist()) for keys, found in archived_looks(integration_settings, "category", START)
    ]
    assert [dict(zip(*look, strict=True)) for look in looks] == [{"a": 2.0}, {"a": 3.0, "b": 30.0}]


def test_of_pairs_only_those_asked_for_are_looked_at(integration_settings: Settings) -> None:
    width = len(sum_names(integration_settings.windows))
    served = [
        ServedVectors(["pair:i|a", "pair:i|b"], np.full((2, width), 1.0 * minute), START + minute * MINUTE_MS, START, n)
        for n, minute in enumerate([0, 9, 10, 25])
    ]
    FeatureArchive(integration_settings.feature_log_path).write(0, 0, 1, served)
    looks = archived_looks(integration_settings, "pair", START, ["i|b", "i|unknown"])
    assert [(keys, found.sums[:, 0].tolist()) for keys, found in looks] == [
        (["i|b"], [9.0]),
        (["i|b"], [10.0]),
        (["i|b"], [25.0]),
    ]
