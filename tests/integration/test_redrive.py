"""Dead letters on a real broker: listed newest last, sent again once, byte for byte, under the original key."""

from __future__ import annotations

import pytest

from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.rejection import Code, Rejected
from streams.deadletters.deadletter import dead_letter, outgoing
from streams.deadletters.redrive import newest, redrive
from streams.stage import Record

pytestmark = pytest.mark.integration


def bury(settings: Settings, code: Code, topic: str, offset: int, key: bytes | None, value: bytes) -> None:
    record = Record(topic, 1, offset, key, value, time_ms=offset)
    message = outgoing(
        Topics.of(settings).deadletter.name, dead_letter(record, Rejected(code, "$", "x"), now_ms=offset)
    )
    producer = kafka.producer(settings)
    producer.produce(message.topic, key=message.key, value=message.value)
    assert producer.flush(30) == 0


def contents(settings: Settings, topic: str) -> list[tuple[bytes | None, bytes | None, int | None]]:
    """Key, value and partition of every record of a topic."""
    consumer = kafka.consumer(settings, "test", **{"enable.partition.eof": True})
    consumer.subscribe([topic])
    found, open_partitions = [], settings.partitions
    while open_partitions:
        for message in consumer.consume(100, timeout=1):
            if message.error():
                open_partitions -= 1
            else:
                found.append((message.key(), message.value(), message.partition()))
    consumer.close()
    return found


def test_a_redrive_sends_each_letter_once(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    topics = Topics.of(settings)
    bury(settings, "unknown_schema", topics.click.name, 1, b"s1", b"\x00\xffone")
    bury(settings, "invalid", topics.click.name, 2, None, b"two")
    bury(settings, "too_late", topics.click.name, 3, b"s3", b"three")
    bury(settings, "invalid", topics.campaign_state.name, 4, b"k1", b"{}")

    assert [letter.offset for letter in newest(settings, 3)] == [2, 3, 4]
    assert [letter.offset for letter in newest(settings, 10, "invalid")] == [2, 4]

    planned = redrive(settings, dry_run=True)
    done = redrive(settings)
    assert planned == done
    assert done.sent == {(topics.click.name, "unknown_schema"): 1, (topics.click.name, "invalid"): 1}
    assert done.kept == {(topics.campaign_state.name, "invalid"): 1}
    again = redrive(settings)
    assert not again.sent
    assert not again.kept
    bury(settings, "invalid", topics.click.name, 5, b"s5", b"five")
    assert redrive(settings, ["invalid"]).sent == {(topics.click.name, "invalid"): 1}

    sent = {value: (key, partition) for key, value, partition in contents(settings, topics.click.name)}
    assert sent.keys() == {b"\x00\xffone", b"two", b"five"}
    assert sent[b"\x00\xffone"][0] == b"s1"
    assert sent[b"two"] == (None, 1)
    assert contents(settings, topics.campaign_state.name) == []
