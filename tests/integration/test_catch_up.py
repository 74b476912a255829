"""A worker that has hours of events to catch up with keeps no more of them than one that never fell behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
import pytest

from infra import kafka, redis
from infra.clock import SystemClock
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topics
from streams import attribution
from streams.contracts.events import EventName
from streams.contracts.examples import CLICK, IMPRESSION, PURCHASE
from streams.exactly_once import RedisCheckpoints
from streams.service import StageService
from streams.shopper_stage import ShopperStage
from streams.stage import Outcome, Record
from tests.wait import until

pytestmark = pytest.mark.integration

HOURS = 10
COUNTS: dict[EventName, int] = {"impression": 20_000, "click": 10_000, "purchase": 2_000}
EXAMPLES = {"impression": IMPRESSION, "click": CLICK, "purchase": PURCHASE}
BATCH = 200


class Watched(ShopperStage):
    """A stage of which is noted how much attribution kept at most."""

    kept = 0

    def process(self, records: Sequence[Record], now_ms: int) -> Outcome:
        outcome = super().process(records, now_ms)
        self.kept = max(self.kept, self._attribution.clicks_kept + self._attribution.purchases_kept)
        return outcome


@pytest.fixture(autouse=True)
def forget_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "_FEWEST_TO_FORGET", 1)


def produce(settings: Settings) -> None:
    """Topics that span the same hours with very different numbers of records."""
    topics = Topics.of(settings)
    producer = kafka.producer(settings)
    start = SystemClock().now_ms() - HOURS * 60 * MINUTE_MS
    for name, topic in zip(("impression", "click", "purchase"), topics.events[1:], strict=True):
        for number in range(COUNTS[name]):
            time_ms = start + number * HOURS * 60 * MINUTE_MS // COUNTS[name]
            shopper = f"s{number % 50}"
            event = msgspec.structs.replace(
                EXAMPLES[name], event_id=f"{name}-{number}", event_time=time_ms, shopper=shopper
            )
            producer.produce(topic.name, msgspec.json.encode(event), shopper)
            producer.poll(0)
    assert producer.flush(60) == 0


def test_catching_up_keeps_no_more_than_a_live_run(integration_settings: Settings) -> None:
    settings = integration_settings.model_copy(
        update={
            "partitions": 1,
            "batch_records": BATCH,
            "late_horizon_ms": MINUTE_MS,
            "attribution_window_ms": 10 * MINUTE_MS,
        }
    )
    kafka.create_topics(settings)
    produce(settings)
    topics = Topics.of(settings)
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    stage = Watched(0, settings, topics)
    service = StageService(
        "keypulse-shopper", topics.events, lambda partition: stage, settings, checkpoints, SystemClock()
    )
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        until(lambda: sum(checkpoints.offsets("shopper/0").values()) == sum(COUNTS.values()))
    finally:
        service.stop()
        thread.join()
    # What could still meet: clicks of window and horizon, purchases of the horizon. Topics differ by a batch or two,
    # and what can go is let go once it is half of all.
    live = COUNTS["click"] * 11 // (HOURS * 60) + COUNTS["purchase"] // (HOURS * 60)
    assert stage.kept <= 2 * (live + 4 * BATCH)
