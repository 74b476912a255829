"""The local stack: real servers that start, answer, crash, are found, stop and keep their data."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import ConfigEntry, ConfigResource, ResourceType

from infra import kafka, milvus, redis
from infra.reach import until_reachable
from infra.settings import Settings, SettingsError, load
from infra.stack import state
from infra.topics import Topics

pytestmark = pytest.mark.integration


def test_every_part_answers_and_says_what_it_is(stack: dict[str, state.Part]) -> None:
    kinds = {name: part.kind for name, part in stack.items()}
    assert kinds == {"kafka": "apache-kafka", "redis": "valkey", "redis-online": "valkey", "milvus": "milvus-lite"}
    assert all(part.version for part in stack.values())


def test_checkpoints_are_synced_to_disk_and_the_online_store_is_not(integration_settings: Settings) -> None:
    checkpoints = redis.connect(integration_settings.checkpoint_redis_url).config_get("append*")
    online = redis.connect(integration_settings.online_redis_url).config_get("append*")
    assert (checkpoints["appendonly"], checkpoints["appendfsync"]) == ("yes", "always")
    assert online["appendonly"] == "no"


def test_milvus_client_connects(integration_settings: Settings) -> None:
    assert milvus.connect(integration_settings).list_collections() == []


def test_topics_are_created_once_as_the_registry_says(integration_settings: Settings) -> None:
    topics = Topics.of(integration_settings)
    assert sorted(kafka.create_topics(integration_settings)) == sorted(topics.by_name)
    assert kafka.create_topics(integration_settings) == []
    found = kafka.admin(integration_settings).list_topics(timeout=10).topics
    assert {name: len(found[name].partitions) for name in topics.by_name} == {t.name: t.partitions for t in topics}


def test_another_number_of_partitions_is_refused_by_name(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    with pytest.raises(SettingsError, match=r"setting partitions: got 8, but topic .*events.search has 4"):
        kafka.create_topics(integration_settings.model_copy(update={"partitions": 8}))


def test_a_topics_configuration_follows_the_registry(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    longer = load(**integration_settings.model_dump() | {"windows": "10m,1h,24h,7d,30d"})
    kafka.create_topics(longer)
    client = kafka.admin(longer)
    resource = ConfigResource(ResourceType.TOPIC, Topics.of(longer).click.name)

    def config() -> dict[str, ConfigEntry]:
        (answer,) = client.describe_configs([resource]).values()
        entries: dict[str, ConfigEntry] = answer.result()
        assert entries["retention.ms"].value == str(longer.event_retention_ms)
        return entries

    assert until_reachable("the new configuration", config, 10)["message.timestamp.type"].value == "LogAppendTime"
