"""The supervisor with the real servers: data outlive a restart, a killed broker comes back, the last resort works."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import kafka, milvus, redis
from infra.settings import Settings, load
from infra.stack import state
from infra.stack.embedded import EmbeddedBroker
from infra.stack.server import Unavailable
from infra.stack.supervisor import Supervisor
from infra.topics import Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def produce(settings: Settings, value: bytes) -> None:
    producer = kafka.producer(settings)
    failed: list[object] = []
    producer.produce(
        Topics.of(settings).controls.name, value, key=value, on_delivery=lambda error, _: error and failed.append(error)
    )
    assert (producer.flush(30), failed) == (0, [])


def read(settings: Settings, records: int) -> list[bytes | None]:
    consumer = kafka.consumer(settings, "test")
    consumer.subscribe([Topics.of(settings).controls.name])
    try:
        found = [message.value() for message in consumer.consume(records, timeout=30)]
    finally:
        consumer.close()
    return found


def test_data_outlive_a_stop_and_a_kill(tmp_path: Path) -> None:
    lines: list[str] = []
    supervisor = Supervisor(load(home=tmp_path), tell=lines.append, tied=True, embedded_broker=False)
    try:
        supervisor.up()
        settings = state.settings(home=tmp_path)
        kafka.create_topics(settings)
        produce(settings, b"one")
        redis.connect(settings.checkpoint_redis_url).set("checkpoint", "one")
        milvus.connect(settings).create_collection("kept", dimension=2)
        supervisor.down()
        supervisor.up()
        assert state.settings(home=tmp_path) == settings
        produce(settings, b"two")

        broker, checkpoints = (part.process for part in supervisor.up()[:2])
        assert broker
        assert checkpoints
        redis.connect(settings.checkpoint_redis_url).set("checkpoint", "two")
        for process in (broker, checkpoints):
            process.kill()
            process.wait(10)
        unhealthy = {found.part.name for found in supervisor.status() if not found.healthy}
        assert unhealthy == {"kafka", "redis"}
        supervisor.up()
        assert any(line.startswith("kafka had crashed and starts again") for line in lines)

        assert read(settings, 2) == [b"one", b"two"]
        assert redis.connect(settings.checkpoint_redis_url).get("checkpoint") == b"two"
        assert milvus.connect(settings).list_collections() == ["kept"]
    finally:
        supervisor.down()


def test_without_java_the_embedded_broker_takes_over_and_says_what_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: dict[str, state.Part]
) -> None:
    def absent() -> str:
        raise Unavailable("Java is missing: install it")

    monkeypatch.setattr("infra.stack.kafka.java", absent)
    lines: list[str] = []
    settings = load(
        home=tmp_path,
        checkpoint_redis_url=stack["redis"].url,
        online_redis_url=stack["redis-online"].url,
        milvus_uri=stack["milvus"].url,
    )
    supervisor = Supervisor(settings, tell=lines.append, tied=True)
    try:
        parts = {part.name: part.kind for part in supervisor.up()}
        assert parts == {"kafka": EmbeddedBroker.kind, "redis": "external"} | dict.fromkeys(
            ("redis-online", "milvus"), "external"
        )
        (said,) = [line for line in lines if line.startswith("No Apache Kafka")]
        assert "kept in memory only" in said
        assert "Java is missing" in said
        there = state.settings(home=tmp_path)
        assert sorted(kafka.create_topics(there)) == sorted(Topics.of(there).by_name)
        assert kafka.create_topics(there) == []
        produce(there, b"one")
        assert read(there, 1) == [b"one"]
    finally:
        supervisor.down()


def test_tests_never_take_the_embedded_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> str:
        raise Unavailable("Java is missing: install it")

    monkeypatch.setattr("infra.stack.kafka.java", absent)
    with pytest.raises(Unavailable, match="Java is missing"):
        Supervisor(load(home=tmp_path), tell=lambda line: None, embedded_broker=False).up()
