"""Fixtures: a private stack of real servers, started once a session when the first test asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pymilvus import MilvusClient
from redis import Redis

from infra import milvus
from infra.settings import Settings, load
from infra.stack import state
from infra.stack.supervisor import Supervisor

_numbers = count()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, state.Part]]:
    """Kafka, two Redis and Milvus Lite of this session alone, by name. Never the embedded broker."""
    settings = load(home=tmp_path_factory.mktemp("stack"))
    supervisor = Supervisor(settings, tell=lambda line: None, tied=True, embedded_broker=False)
    parts = supervisor.up()
    yield {part.name: part for part in parts}
    supervisor.down()


@pytest.fixture(scope="session")
def kafka_servers(stack: dict[str, state.Part]) -> str:
    """bootstrap.servers of a real Apache Kafka."""
    return stack["kafka"].url


@pytest.fixture(scope="session")
def redis_url(stack: dict[str, state.Part]) -> str:
    """URL of the Redis for checkpoints, which syncs each write to disk."""
    return stack["redis"].url


@pytest.fixture(scope="session")
def online_redis_url(stack: dict[str, state.Part]) -> str:
    """URL of the Redis for the online store."""
    return stack["redis-online"].url


@pytest.fixture(scope="session")
def milvus_uri(stack: dict[str, state.Part]) -> str:
    """URL of Milvus Lite."""
    return stack["milvus"].url


@pytest.fixture
def integration_settings(
    kafka_servers: str, redis_url: str, online_redis_url: str, milvus_uri: str, tmp_path: Path
) -> Settings:
    """The private stack's settings: topics of this test alone, both Redis and Milvus emptied, home in tmp_path."""
    for url in (redis_url, online_redis_url):
        with Redis.from_url(url) as redis:
            redis.flushall()
    number = next(_numbers)
    settings = load(
        home=tmp_path / "home",
        kafka_servers=kafka_servers,
        checkpoint_redis_url=redis_url,
        online_redis_url=online_redis_url,
        milvus_uri=milvus_uri,
        topic_prefix=f"t{number}.",
        keyword_collection=f"keywords_{number}",
    )
    _empty(milvus.connect(settings))
    return settings


def _empty(client: MilvusClient) -> None:
    """Drop every collection; one that an alias points to can't be dropped before it."""
    for collection in client.list_collections():
        for alias in client.list_aliases(collection)["aliases"]:
            client.drop_alias(alias)
        client.drop_collection(collection)
    client.close()
