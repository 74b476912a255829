"""The agents in a real Faust worker, on a real broker and store: what they take, a crash, a batch that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from feature_repo.vector_reader import VectorReader
from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from streams.agents.agent import AGENTS_GROUP
from streams.contracts.examples import CAMPAIGN, PRODUCT
from streams.contracts.messages import DeadLetter, Signals
from streams.log_reader import log_reader
from tests.wait import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "KEYPULSE_HOME": str(settings.home),
        "KEYPULSE_KAFKA_SERVERS": settings.kafka_servers,
        "KEYPULSE_TOPIC_PREFIX": settings.topic_prefix,
        "KEYPULSE_ONLINE_REDIS_URL": settings.online_redis_url,
        "KEYPULSE_KEYWORD_INDEX": "",
        "KEYPULSE_DRIFT_INTERVAL_MS": "1000",
        "PYTHONPATH": str(ROOT),
    }
    program = "from infra.settings import load; from streams import app; app.run(load(), [], 'test')"
    with subprocess.Popen([sys.executable, "-c", program], env=os.environ | environment) as process:
        try:
            yield process
        finally:
            process.kill()


def put(settings: Settings, topic: str, key: str, value: bytes | None) -> None:
    producer = kafka.producer(settings)
    producer.produce(topic, key=key, value=value)
    assert producer.flush(30) == 0


def values(settings: Settings, topic: str) -> list[bytes]:
    """Every record's value, as of now."""
    consumer = kafka.consumer(settings, f"test-{time.monotonic_ns()}", **{"enable.partition.eof": True})
    consumer.subscribe([topic])
    found, open_partitions = [], settings.partitions
    while open_partitions:
        for message in consumer.consume(100, timeout=1):
            if message.error():
                open_partitions -= 1
            else:
                found.append(message.value())
    consumer.close()
    return found


def causes(settings: Settings) -> list[tuple[str, str]]:
    packed = [
        msgspec.msgpack.decode(value, type=Signals) for value in values(settings, Topics.of(settings).signals.name)
    ]
    return sorted((signal.entity, signal.cause) for message in packed for signal in message.signals)


def test_state_reaches_the_store_and_signals_the_topic(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    topics = Topics.of(settings)
    reader = VectorReader(Redis.from_url(settings.online_redis_url), settings)
    product, campaign = msgspec.json.encode(PRODUCT), msgspec.json.encode(CAMPAIGN)

    put(settings, topics.product_state.name, PRODUCT.item, product)
    put(settings, topics.campaign_state.name, CAMPAIGN.campaign, campaign)
    put(settings, topics.campaign_state.name, "c-3", b"{}")
    with worker(settings) as process:
        until(lambda: reader.rows("campaign", ["c-3"]) != [None] and reader.rows("category_items", ["shoes"]) != [None])
        [row] = reader.rows("category_items", ["shoes"])
        assert row is not None
        assert row["live_items"] == 1
        until(lambda: causes(settings) == [("campaign:c-3", "created"), ("item:i-9", "created")])
        [letter] = [msgspec.json.decode(value, type=DeadLetter) for value in values(settings, topics.deadletter.name)]
        assert (letter.topic, letter.code) == (topics.campaign_state.name, "invalid")

        put(settings, topics.product_state.name, PRODUCT.item, None)
        put(settings, topics.campaign_state.name, "c-3", None)
        until(lambda: reader.rows("campaign", ["c-3"]) == [None] and reader.rows("product", ["i-9"]) == [None])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_batch_that_fails_ends_the_worker_and_is_taken_again(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    topics = Topics.of(settings)
    store = Redis.from_url(settings.online_redis_url)
    reader = VectorReader(store, settings)

    put(
        settings,
        topics.campaign_state.name,
        "c-1",
        msgspec.json.encode(msgspec.structs.replace(CAMPAIGN, campaign="c-1")),
    )
    with worker(settings) as process:
        until(lambda: reader.rows("campaign", ["c-1"]) != [None])
        store.config_set("maxmemory", "1")  # every write is refused from now on
        try:
            put(settings, topics.campaign_state.name, "c-3", msgspec.json.encode(CAMPAIGN))
            assert process.wait(60) != 0
        finally:
            store.config_set("maxmemory", "0")
    assert reader.rows("campaign", ["c-3"]) == [None]
    with worker(settings) as process:
        until(lambda: reader.rows("campaign", ["c-3"]) != [None])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_rows_that_the_store_lost_are_written_again(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    topics = Topics.of(settings)
    store = Redis.from_url(settings.online_redis_url)
    reader = VectorReader(store, settings)

    def there() -> bool:
        [count] = reader.rows("category_items", ["shoes"])
        others = reader.rows("product", ["i-9"]) + reader.rows("campaign", ["c-3"])
        return count is not None and count["live_items"] == 1 and None not in others

    def committed() -> bool:
        with log_reader(settings, AGENTS_GROUP) as log:
            states = (topics.product_state, topics.campaign_state)
            offsets = [log.committed(topic, part) or 0 for topic in states for part in range(topic.partitions)]
            return sum(offsets) == 4

    put(settings, topics.product_state.name, "i-1", msgspec.json.encode(msgspec.structs.replace(PRODUCT, item="i-1")))
    put(settings, topics.product_state.name, "i-1", None)
    put(settings, topics.product_state.name, "i-9", msgspec.json.encode(PRODUCT))
    put(settings, topics.campaign_state.name, "c-3", msgspec.json.encode(CAMPAIGN))
    with worker(settings) as process:
        until(there)
        until(committed)
        told = causes(settings)
        store.flushall()
        until(there)
        assert causes(settings) == told, "nothing changed, so nothing is told"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
