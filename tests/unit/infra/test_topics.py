"""The registry of topics holds what the design rests on."""

from __future__ import annotations

import pytest

from infra.kafka import LARGEST_MESSAGE
from infra.settings import load
from infra.topics import Topic, Topics

TOPICS = Topics.of(load(partitions=8, topic_prefix="eu."))


def test_names_carry_the_prefix_and_are_unique() -> None:
    names = [topic.name for topic in TOPICS]
    assert all(name.startswith("eu.") for name in names)
    assert len(set(names)) == len(names) == len(TOPICS.by_name)


def test_all_keyed_topics_have_the_same_partitions() -> None:
    assert {topic.partitions for topic in TOPICS if topic not in (TOPICS.controls, TOPICS.dictionary)} == {8}


@pytest.mark.parametrize("topic", TOPICS.events, ids=lambda topic: topic.name)
def test_events_are_keyed_by_shopper_dated_by_the_broker_and_kept_for_a_rebuild(topic: Topic) -> None:
    assert topic.key.startswith("shopper")
    assert topic.config()["message.timestamp.type"] == "LogAppendTime"
    assert topic.config()["retention.ms"] == str(load().event_retention_ms)


def test_what_is_a_state_is_compacted_and_kept() -> None:
    states = (TOPICS.campaign_state, TOPICS.product_state, TOPICS.suggestions, TOPICS.controls, TOPICS.dictionary)
    assert all(topic.config()["cleanup.policy"] == "compact" and topic.retention_ms == -1 for topic in states)


def test_a_producer_may_send_whatever_a_topic_takes() -> None:
    assert max(topic.max_message_bytes for topic in TOPICS) <= LARGEST_MESSAGE


def test_every_topic_says_who_writes_and_who_reads() -> None:
    assert all(topic.written_by and topic.read_by and topic.schema and topic.key for topic in TOPICS)
