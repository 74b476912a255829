"""Sends a stage's outbox to Kafka, in order, and returns once the broker has taken all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from streams.exactly_once import Outgoing

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer

_FLUSH_S = 30.0


class KafkaPublisher:
    """Publishes with an idempotent producer."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._errors: list[KafkaError] = []

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Produce all and wait for the acknowledgements.

        Raises:
            KafkaException: a message was not taken. It is still in the outbox; restart to publish it again.
        """
        for message in outgoing:
            self._produce(message)
        waiting = self._producer.flush(_FLUSH_S)
        if self._errors:
            raise KafkaException(self._errors[0])
        if waiting:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{waiting} messages unacknowledged"))

    def _produce(self, message: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    message.partition,
                    on_delivery=self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._errors.append(error)
