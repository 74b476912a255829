"""Sends records and knows which of them the broker never acknowledged."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message, Producer

_FLUSH_S = 60.0


class Sender:
    """A producer that waits when its queue is full."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._failed = 0

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, key=key, value=value, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.05)

    def poll(self) -> None:
        """Take the broker's acknowledgements that have come."""
        self._producer.poll(0)

    def finish(self) -> int:
        """Wait for all acknowledgements, a minute at most; how many records have none."""
        return int(self._producer.flush(_FLUSH_S)) + self._failed

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._failed += error is not None
