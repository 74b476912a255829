"""Publishing of suggestions can be paused and resumed, for a category or for all. Every worker follows at once.

The control topic is compacted and tiny: a worker reads all of it at its start and follows it from then on.
"""

from __future__ import annotations

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from infra.clock import Clock
from infra.kafka import consumer, producer, wait_ready
from infra.log import get_logger
from infra.reach import Unreachable
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import Control

log = get_logger(__name__)

ALL = "*"
"""Stands for every category."""

_TIMEOUT_S = 10.0


class Controls:
    """What is paused."""

    def __init__(self) -> None:
        self._controls: dict[str, Control] = {}

    def take(self, value: bytes | None) -> None:
        """Follow a record of the control topic, and log it. One that cannot be read is logged and changes nothing."""
        if value is None:
            return
        try:
            control = msgspec.json.decode(value, type=Control)
        except msgspec.MsgspecError as error:
            log.error("a control record cannot be read and is ignored: %s", error)
            return
        self._controls[control.category] = control
        action = "paused" if control.paused else "resumed"
        log.warning("suggestions %s for category %s by %s", action, control.category, control.by)

    def paused(self, category: str) -> bool:
        """Whether sets of campaigns in `category` may not be published."""
        return any(name in self._controls and self._controls[name].paused for name in (ALL, category))


class ControlReader:
    """Keeps `controls` up to date from Kafka."""

    def __init__(self, settings: Settings) -> None:
        self.controls = Controls()
        self._topic = Topics.of(settings).controls.name
        self._consumer: Consumer = consumer(settings, "controls", **{"enable.partition.eof": True})

    def start(self) -> None:
        """Read all that stands in the topic: nothing is published before it is known what is paused.

        Raises:
            KafkaException: the topic cannot be read.
        """
        self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        while not self._take(timeout_s=0.1):
            pass

    def poll(self) -> None:
        """Follow what came since. Does not wait."""
        self._take(timeout_s=0.0)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _take(self, timeout_s: float) -> bool:
        """Take what is there; whether that was all."""
        ended = False
        for message in self._consumer.consume(100, timeout=timeout_s):
            error = message.error()
            if error is None:
                self.controls.take(message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                ended = True
            else:
                raise KafkaException(error)
        return ended


def publish_control(settings: Settings, clock: Clock, category: str, paused: bool, by: str) -> Control:
    """Write a pause or its end to the control topic; what was written, once the broker has it.

    Raises:
        Unreachable: the broker does not answer.
        TopicMissing: there is no control topic.
        KafkaException: the broker did not take it.
    """
    topic = Topics.of(settings).controls
    wait_ready(settings, topic)
    failures: list[KafkaException] = []
    control = Control(category=category, paused=paused, by=by, at=clock.now_ms())
    client = producer(settings)
    client.produce(
        topic.name,
        key=category.encode(),
        value=msgspec.json.encode(control),
        on_delivery=lambda error, _: failures.append(KafkaException(error)) if error else None,
    )
    if client.flush(_TIMEOUT_S):
        raise Unreachable(f"Kafka at {settings.kafka_servers} took no control record within {_TIMEOUT_S:.0f} s")
    if failures:
        raise failures[0]
    return control
