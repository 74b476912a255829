"""Sends a stage's outbox to Kafka, in order, and knows when the broker has taken all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from streams.exactly_once import Outgoing

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer

_ACKNOWLEDGED_S = 30.0

Delivered = Callable[["KafkaError | None", "Message"], None]


class KafkaPublisher:
    """Publishes with an idempotent producer, and waits. Threads may share one."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._errors: list[KafkaError] = []

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Produce all and wait for the acknowledgements.

        Raises:
            KafkaException: a message was not taken. It is still in the outbox; restart to publish it again.
        """
        _produce(self._producer, outgoing, self._delivered)
        waiting = self._producer.flush(_ACKNOWLEDGED_S)
        if self._errors:
            raise KafkaException(self._errors[0])
        if waiting:
            raise _unacknowledged(waiting)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._errors.append(error)


class OverlappingPublisher:
    """Publishes with an idempotent producer; the caller does something else before it waits. For one thread."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def publish(self, outgoing: Sequence[Outgoing]) -> Sending:
        """Produce all; call what is returned to wait for the acknowledgements."""
        return Sending(self._producer, outgoing)


class Sending:
    """Messages on their way."""

    def __init__(self, producer: Producer, outgoing: Sequence[Outgoing]) -> None:
        self._producer = producer
        self._waiting = len(outgoing)
        self._error: KafkaError | None = None
        _produce(producer, outgoing, self._delivered)

    def __call__(self) -> None:
        """Wait until the broker has acknowledged all.

        Raises:
            KafkaException: a message was not taken. It is still in the outbox; restart to publish it again.
        """
        deadline = time.monotonic() + _ACKNOWLEDGED_S
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            self._producer.poll(left)
        if self._error:
            raise KafkaException(self._error)
        if self._waiting:
            raise _unacknowledged(self._waiting)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._waiting -= 1
        self._error = self._error or error


def _produce(producer: Producer, outgoing: Sequence[Outgoing], delivered: Delivered) -> None:
    for message in outgoing:
        while True:
            try:
                producer.produce(message.topic, message.value, message.key, message.partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)


def _unacknowledged(waiting: int) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{waiting} messages unacknowledged"))
