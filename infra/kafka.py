"""Kafka clients, tuned and secured in one place, and the topics as the registry wants them.

`**over` takes librdkafka options that differ from what stands here: `producer(settings, **{"linger.ms": 50})`.
Options that librdkafka refuses (of the setting `kafka_options`, as ours are tried) end in `SettingsError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from infra.failure import Failure
from infra.log import get_logger
from infra.reach import until_reachable
from infra.settings import Settings, SettingsError
from infra.topics import Topic, Topics

log = get_logger(__name__)
_Client = TypeVar("_Client", Producer, Consumer, AdminClient)

LARGEST_MESSAGE = 16_777_216
"""Bytes; the largest that any topic of the registry takes."""

QUIET = {"log_level": 0}
"""Options of a client that may well find no broker: librdkafka logs nothing."""

REQUEST_S = 10.0
"""An admin request that takes longer has failed. An AdminClient that lived through a broker restart may hang."""


def producer(settings: Settings, **over: Any) -> Producer:
    """An idempotent producer (acks=all, lz4) that places a key where Java's default partitioner would."""
    return _made(
        Producer,
        _common(settings)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # librdkafka's own default would part a click from its purchase
            "linger.ms": 5,
            "message.max.bytes": LARGEST_MESSAGE,
            "queue.buffering.max.kbytes": 65_536,
        }
        | over,
    )


def consumer(settings: Settings, group: str, **over: Any) -> Consumer:
    """A consumer that commits nothing by itself and starts a new group at the oldest record."""
    return _made(
        Consumer,
        _common(settings)
        | {
            "group.id": f"{settings.topic_prefix}{group}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "range",  # equal partition numbers of several topics stay together
            "session.timeout.ms": 6_000,
            "fetch.queue.backoff.ms": 10,  # the default of 1000 caps a batch loop at 215k records/s
            "queued.max.messages.kbytes": 16_384,  # bounds memory
            "fetch.message.max.bytes": 4_194_304,
        }
        | over,
    )


def admin(settings: Settings, **over: Any) -> AdminClient:
    """A client for topics, groups and offsets."""
    return _made(AdminClient, _common(settings) | over)


class TopicMissing(Failure):
    """A topic that a command needs was not created yet."""


def wait_ready(settings: Settings, *needed: Topic, timeout_s: float = 60.0) -> None:
    """Return once the broker answers, if it has the topics that are needed.

    Raises:
        Unreachable: no answer within `timeout_s`.
        TopicMissing: a topic is not there.
    """
    client = admin(settings, **QUIET)
    broker = f"Kafka at {settings.kafka_servers}"
    there = until_reachable(broker, lambda: client.list_topics(timeout=5), timeout_s).topics
    if missing := [topic.name for topic in needed if topic.name not in there]:
        raise TopicMissing(f"{broker} has no topic {', '.join(missing)}: run `keypulse topics create`")


def create_topics(settings: Settings) -> list[str]:
    """Create the registry's topics that are missing, bring the others' configuration to it; names of the created ones.

    Raises:
        SettingsError: a topic exists with another number of partitions.
        Unreachable: no broker.
    """
    wait_ready(settings)
    client = admin(settings)
    topics = list(Topics.of(settings))
    existing = client.list_topics(timeout=REQUEST_S).topics
    missing = [topic for topic in topics if topic.name not in existing]
    if missing and is_embedded(client):
        for topic in missing:
            client.list_topics(topic.name, timeout=REQUEST_S)
    elif missing:
        _create(client, settings, missing)
    found = until_reachable("a new topic", lambda: _partitions(client, topics), REQUEST_S, say=log.debug)
    for topic in topics:
        _check_partitions(topic, found[topic.name])
    if not is_embedded(client):
        _configure(client, [topic for topic in topics if topic.name in existing])
    return [topic.name for topic in missing]


def is_embedded(client: AdminClient) -> bool:
    """Whether the broker is librdkafka's own: no admin calls, and it makes topics (of 4 partitions) when asked for."""
    return str(client.list_topics(timeout=REQUEST_S).cluster_id).startswith("mockCluster")


def _partitions(client: AdminClient, topics: list[Topic]) -> dict[str, int]:
    """Partitions by topic, once every topic is known and led: a broker learns of a new one a moment later."""
    known = client.list_topics(timeout=REQUEST_S).topics
    for topic in topics:
        if topic.name not in known or any(p.leader < 0 for p in known[topic.name].partitions.values()):
            raise LookupError(f"{topic.name} is not there yet")
    return {topic.name: len(known[topic.name].partitions) for topic in topics}


def _check_partitions(topic: Topic, partitions: int) -> None:
    if partitions != topic.partitions and topic.partitions > 1:
        raise SettingsError(
            f"setting partitions: got {topic.partitions}, but topic {topic.name} has {partitions}; the number is fixed "
            f"for a deployment (another one means new topics under another topic_prefix, and a rebuild)"
        )


def _create(client: AdminClient, settings: Settings, topics: list[Topic]) -> None:
    new = [
        NewTopic(t.name, t.partitions, replication_factor=settings.replication_factor, config=t.config())
        for t in topics
    ]
    for future in client.create_topics(new, request_timeout=REQUEST_S, operation_timeout=REQUEST_S).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # two workers may start at once
                raise


def _configure(client: AdminClient, topics: list[Topic]) -> None:
    resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in topics}
    if not resources:
        return
    changed = []
    for resource, future in client.describe_configs(list(resources), request_timeout=REQUEST_S).items():
        now, wanted = future.result(), resources[resource].config()
        differing = {name: value for name, value in wanted.items() if now[name].value != value}
        if differing:
            log.warning("topic %s: configuration changes to %s", resource.name, differing)
            entries = [
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in differing.items()
            ]
            changed.append(ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=entries))
    if changed:
        for future in client.incremental_alter_configs(changed, request_timeout=REQUEST_S).values():
            future.result()


def _made(client: Callable[[dict[str, Any]], _Client], options: dict[str, Any]) -> _Client:
    """A client; what librdkafka refuses of its options is said as what it is."""
    try:
        return client(options)
    except KafkaException as exception:
        error = exception.args[0]
        if error.code() != KafkaError._INVALID_ARG:
            raise
        raise SettingsError(f"setting kafka_options: {error.str()}") from exception


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka_servers,
        "client.id": "keypulse",
        "log_level": 4,
        "logger": get_logger("librdkafka"),
        **settings.kafka_options,
    }
