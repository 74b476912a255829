"""The programs in the guides are run as they stand there, but for address and topic prefix, against a real broker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from infra import kafka
from infra.murmur2 import partition_of
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.decoding import EventDecoder, MessageDecoder
from streams.contracts.events import Click
from streams.contracts.examples import SUGGESTIONS
from streams.contracts.messages import Feedback

pytestmark = pytest.mark.integration
DOCS = Path(__file__).parents[2] / "docs"


def block(guide: str, language: str) -> str:
    """The first code block of a language in a guide."""
    match = re.search(rf"^```{language}\n(.*?)^```", (DOCS / guide).read_text(), re.DOTALL | re.MULTILINE)
    assert match
    return match[1]


def program(guide: str, settings: Settings, *topics: str) -> str:
    """The guide's program, which has at most 15 lines, for this test's broker and topics."""
    text = block(guide, "python")
    assert len([line for line in text.splitlines() if line.strip()]) <= 15
    for default, actual in [("127.0.0.1:9092", settings.kafka_servers)] + [
        (f'"{topic}"', f'"{settings.topic_prefix}{topic}"') for topic in topics
    ]:
        assert default in text
        text = text.replace(default, actual)
    return text


def test_the_producers_program_sends_an_event_that_is_taken(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    subprocess.run(
        [sys.executable, "-c", program("produce-events.md", settings, "events.click")], check=True, timeout=60
    )
    consumer = kafka.consumer(settings, "test")
    consumer.subscribe([Topics.of(settings).click.name])
    [record] = consumer.consume(1, timeout=30)
    consumer.close()
    event = EventDecoder(settings).decode("click", record.value(), record.timestamp()[1])
    assert isinstance(event, Click)
    assert record.key() == event.shopper.encode()
    assert record.partition() == partition_of(record.key(), settings.partitions)


def test_the_consumers_program_shows_lists_and_closed_campaigns(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    topic = Topics.of(settings).suggestions.name
    producer = kafka.producer(settings)
    producer.produce(topic, key=SUGGESTIONS.campaign, value=msgspec.json.encode(SUGGESTIONS))
    producer.produce(topic, key=SUGGESTIONS.campaign, value=None)
    assert producer.flush(30) == 0
    code = program("consume-suggestions.md", settings, "suggestions.campaign")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout
        try:
            lines = [reader.stdout.readline(), reader.stdout.readline()]
        finally:
            reader.kill()
    assert lines == ["c-3 version 7 ['rain boots']\n", "c-3 is closed\n"]


def test_the_feedback_in_the_guide_is_taken() -> None:
    feedback = MessageDecoder(Feedback).decode(json.dumps(json.loads(block("consume-suggestions.md", "json"))).encode())
    assert feedback.action == "dismissed"
