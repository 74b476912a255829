"""Watches the run from outside, as the campaign service and an on-call engineer would: by reading topics."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from feature_repo.vectors import entity
from infra import kafka
from infra.clock import Clock
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import FeatureRows, SuggestionSet

_READ_BATCH = 500
_POLL_S = 0.05
_OF_EVENTS = ("moved", "surged")
"""Causes of a set to which events led, and not time alone."""


@dataclass(frozen=True)
class ReceivedSet:
    """A suggestion set and when a consumer had it (ms)."""

    at_ms: int
    suggestions: SuggestionSet


@dataclass
class Observations:
    """What was seen so far."""

    sets: list[ReceivedSet] = field(default_factory=list)
    event_to_feature_ms: list[int] = field(default_factory=list)
    since_ms: int = 0
    """Events before this moment are history, and no measure of latency."""

    def event_to_suggestion_ms(self) -> list[int]:
        """For each set that moved counts or a surge led to, how long after their events a consumer had it, ms.

        Their event time is the middle of a sample of the batch that moved them. Sets that time alone, a restart or a
        changed campaign led to are not among them; what the change policy held back on purpose is taken off.
        """
        return [
            received.at_ms - received.suggestions.trigger.event_time - received.suggestions.held_ms
            for received in self.sets
            if received.suggestions.trigger.event_time > self.since_ms
            and received.suggestions.trigger.cause in _OF_EVENTS
        ]

    def answers_to(self, canonical: str, since_ms: int) -> list[ReceivedSet]:
        """Sets that a movement since a moment led to, and that list `canonical` because it is searched more.

        That is: it was added, or it is what moved, and that searches are up is said of it.
        """
        return [one for one in self.sets if _answers(one.suggestions, canonical, since_ms)]


def _answers(suggestions: SuggestionSet, canonical: str, since_ms: int) -> bool:
    if suggestions.trigger.event_time < since_ms:
        return False
    said = {why.code for one in suggestions.suggestions if one.canonical == canonical for why in one.reasons}
    moved = suggestions.trigger.entity == entity("keyword", canonical)
    return "surge" in said and (moved or canonical in suggestions.changes.added)


class Observer:
    """Reads suggestions and the feature log in a thread of its own."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.seen = Observations()

    def start(self) -> None:
        """Begin reading at the ends of both topics."""
        self._thread.start()

    def stop(self) -> Observations:
        """Stop reading; all that was seen."""
        self._stopping.set()
        self._thread.join()
        return self.seen

    def _run(self) -> None:
        topics = Topics.of(self._settings)
        consumer = kafka.consumer(self._settings, "observer")
        consumer.assign(
            [
                TopicPartition(topic.name, partition, OFFSET_END)
                for topic in (topics.suggestions, topics.features_log)
                for partition in range(topic.partitions)
            ]
        )
        while not self._stopping.is_set():
            for message in consumer.consume(_READ_BATCH, _POLL_S):
                if message.error():
                    raise KafkaException(message.error())
                value = message.value()
                if value and message.topic() == topics.suggestions.name:
                    received = ReceivedSet(self._clock.now_ms(), msgspec.json.decode(value, type=SuggestionSet))
                    self.seen.sets.append(received)
                elif value:
                    # The log is published once its vectors are readable.
                    rows = msgspec.msgpack.decode(value, type=FeatureRows)
                    readable_ms = message.timestamp()[1]
                    live = [time for time in rows.event_times if time > self.seen.since_ms]
                    self.seen.event_to_feature_ms += [readable_ms - time for time in live]
        consumer.close()
