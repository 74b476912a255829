"""Which campaigns there are, read off `state.campaign`: for a worker whose signals are gone."""

from __future__ import annotations

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from infra.kafka import consumer
from infra.settings import Settings
from infra.topics import Topics


def known_campaigns(settings: Settings) -> list[str]:
    """Campaigns that the topic holds and that no tombstone deleted, as of now.

    Raises:
        KafkaException: the topic cannot be read.
    """
    topic = Topics.of(settings).campaign_state
    client = consumer(settings, "known-campaigns", **{"enable.partition.eof": True})
    client.assign([TopicPartition(topic.name, partition, OFFSET_BEGINNING) for partition in range(topic.partitions)])
    known: dict[str, bool] = {}
    ended: set[int] = set()
    try:
        while len(ended) < topic.partitions:
            for message in client.consume(1_000, timeout=0.2):
                error = message.error()
                if error is None:
                    known[(message.key() or b"").decode(errors="replace")] = message.value() is not None
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        client.close()
    return sorted(campaign for campaign, there in known.items() if there)
