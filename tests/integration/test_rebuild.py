"""`keypulse rebuild` on real Kafka and Redis, for the case it is there for: the checkpoints' Redis lost everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from redis import Redis

from feature_repo.vector_reader import VectorReader, Vectors
from infra import kafka, redis
from infra.clock import SystemClock
from infra.settings import Settings
from infra.topics import Topics
from streams import app
from streams.contracts.events import EVENT_TYPES
from streams.exactly_once import RedisCheckpoints
from streams.log_reader import log_reader
from streams.rebuild import StillRunning, rebuild
from streams.service import CheckpointLost
from streams.verification import verify
from tests.random_events import random_events
from tests.wait import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
EVENTS, BAD = 3_000, 40


def produce(settings: Settings, seed: int) -> None:
    """Events of all kinds, late ones and repeats among them, and records that cannot be used."""
    topics = dict(zip(EVENT_TYPES, Topics.of(settings).events, strict=True))
    producer = kafka.producer(settings)
    start = SystemClock().now_ms() - 30_000
    for number, (name, event) in enumerate(random_events(EVENTS, start, 30_000 / EVENTS, seed)):
        producer.produce(topics[name].name, msgspec.json.encode(event), event.shopper)
        if number % (EVENTS // BAD) == 0:
            producer.produce(topics[name].name, b"{not an event", event.shopper)
    assert producer.flush(30) == 0


@contextmanager
def counting(settings: Settings) -> Iterator[None]:
    """Both stages, until everything that was produced is counted and their vectors are written."""
    stages = [app.stage_service(name, settings) for name in app.STAGES]
    threads = [threading.Thread(target=stage.run) for stage in stages]
    for thread in threads:
        thread.start()

    def counted_anew() -> bool:
        for stage in stages:
            stage.wake()
        return bool((items(settings).as_of > began).all()) and verify(settings).mismatches == 0

    began = SystemClock().now_ms()
    try:
        yield
        until(counted_anew)
    finally:
        for stage in stages:
            stage.stop()
        for thread in threads:
            thread.join()


def items(settings: Settings) -> Vectors:
    reader = VectorReader(redis.connect(settings.online_redis_url), settings)
    return reader.vectors("item", [f"i{number}" for number in range(50)])


def letters(settings: Settings) -> int:
    with log_reader(settings, "test-letters") as reader:
        return sum(1 for _ in reader.until_now(Topics.of(settings).deadletter))


def generation(settings: Settings) -> int:
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    return min(checkpoints.acquire(f"{stage}/0").generation for stage in app.STAGES)


def test_features_are_exact_again_and_no_bad_record_is_buried_twice(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    produce(settings, seed=1)
    with counting(settings):
        pass
    buried = letters(settings)
    assert buried > BAD  # the late ones besides
    before = generation(settings)

    Redis.from_url(settings.checkpoint_redis_url).flushall()
    with pytest.raises(CheckpointLost, match="keypulse rebuild"):
        app.stage_service("shopper", settings).run()

    for _ in range(2):  # a second rebuild, as of a later change of the code, starts from what the first left
        rebuild(settings)
        assert generation(settings) > before
        before = generation(settings)
        with counting(settings):
            pass
        assert letters(settings) == buried

    produce(settings, seed=2)
    with counting(settings):
        pass
    assert letters(settings) > buried + BAD


def test_a_worker_that_still_runs_keeps_its_checkpoints(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    produce(settings, seed=1)
    with counting(settings):
        until(lambda: bool((items(settings).as_of > 0).any()))
        with pytest.raises(StillRunning, match="stop all streams workers"):
            rebuild(settings, sleep=lambda seconds: None)
    assert generation(settings) == 1
