"""Messages on their way while the sender does something else."""

from __future__ import annotations

import os

import pytest
from confluent_kafka import KafkaException

from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from streams.exactly_once import Outgoing
from streams.log_reader import log_reader
from streams.publisher import OverlappingPublisher

pytestmark = pytest.mark.integration


@pytest.fixture
def publisher(integration_settings: Settings) -> OverlappingPublisher:
    kafka.create_topics(integration_settings)
    return OverlappingPublisher(kafka.producer(integration_settings, **{"linger.ms": 0}))


def test_what_is_sent_before_the_last_was_acknowledged_keeps_its_order(
    integration_settings: Settings, publisher: OverlappingPublisher
) -> None:
    topic = Topics.of(integration_settings).deltas
    sent = [b"%d" % number for number in range(2_000)]
    under_way = [
        publisher.publish([Outgoing(topic.name, 1, None, value) for value in sent[start : start + 10]])
        for start in range(0, len(sent), 10)
    ]
    for wait in reversed(under_way):
        wait()
    with log_reader(integration_settings, "reader") as reader:
        assert [record.value for record in reader.until_now(topic)] == sent


def test_a_refused_message_is_an_error_of_its_own_batch(
    integration_settings: Settings, publisher: OverlappingPublisher
) -> None:
    topic = Topics.of(integration_settings).keywords_seen
    good = publisher.publish([Outgoing(topic.name, 0, None, b"good")])
    too_large = publisher.publish([Outgoing(topic.name, 0, None, os.urandom(2 * topic.max_message_bytes))])
    good()
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        too_large()
