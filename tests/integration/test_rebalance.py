"""Workers come and go while events arrive: partitions change hands, and counts stay exact."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from infra import kafka
from infra.clock import SystemClock
from infra.settings import Settings
from infra.topics import Topics
from streams import app
from streams.app import StageName
from streams.contracts.events import EVENT_TYPES
from streams.service import StageService
from streams.verification import Backlog, verify
from tests.random_events import random_events
from tests.wait import until

pytestmark = pytest.mark.integration
EVENTS = 1_500


@contextmanager
def running(settings: Settings, stage: StageName) -> Iterator[StageService]:
    service = app.stage_service(stage, settings)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield service
    finally:
        service.stop()
        thread.join()


def produce(settings: Settings, seed: int) -> None:
    topics = dict(zip(EVENT_TYPES, Topics.of(settings).events, strict=True))
    producer = kafka.producer(settings)
    start = SystemClock().now_ms() - 30_000
    for name, event in random_events(EVENTS, start, 30_000 / EVENTS, seed):
        producer.produce(topics[name].name, msgspec.json.encode(event), event.shopper)
    assert producer.flush(30) == 0


def owned(settings: Settings) -> list[int]:
    """How many partitions of all four topics each member of the shopper stage's group has."""
    group = f"{settings.topic_prefix}keypulse-shopper"
    client = kafka.admin(settings)
    description = client.describe_consumer_groups([group], request_timeout=kafka.REQUEST_S)[group].result()
    found = []
    for member in description.members:
        partitions = Counter(one.partition for one in member.assignment.topic_partitions)
        assert set(partitions.values()) <= {len(EVENT_TYPES)}, "equal partitions of the topics stay together"
        found.append(len(partitions))
    return sorted(found)


def test_partitions_change_hands_and_nothing_is_lost_or_counted_twice(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    backlog = Backlog(settings)

    def counted() -> bool:
        entity.wake()
        return backlog.records() == 0

    def exact() -> bool:
        entity.wake()
        return verify(settings).mismatches == 0

    with running(settings, "entity") as entity:
        with running(settings, "shopper") as first:
            produce(settings, seed=1)
            until(counted)
            with running(settings, "shopper"):
                until(lambda: owned(settings) == [2, 2])
                produce(settings, seed=2)
                until(counted)
                first.stop()
                until(lambda: owned(settings) == [4])
                produce(settings, seed=3)
                until(counted)
        until(exact)
    backlog.close()
    assert verify(settings).events >= 3 * EVENTS
