"""Dead letters read from their topic, and sent again to where they came from."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from streams.messages import DeadLetter
from streams.rejection import CODES, Code

_REQUEST_S = 10.0
_FLUSH_S = 60.0
_BATCH = 500

REDRIVEN_BY_DEFAULT: tuple[Code, ...] = tuple(code for code in CODES if code != "too_late")
"""A late record is later still when it is sent again, so it isn't unless asked for."""

Start = Callable[[int, int, int], int]
"""Offset to read a partition from, given its number and its oldest and next offsets."""


@dataclass
class Redriven:
    """What a redrive did, or would do: how many letters by (source topic, code)."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Not sent: an old state sent again would stand over a newer one; its owner has to send the state anew."""


def newest(settings: Settings, limit: int, code: str | None = None) -> list[DeadLetter]:
    """The newest `limit` letters, oldest first; of one code if given."""

    def start(_partition: int, low: int, high: int) -> int:
        return low if code else max(low, high - limit)

    with closing(_consumer(settings, "deadletter-list")) as consumer:
        found = (each for each in _letters(consumer, settings, start) if code in (None, each[2].code))
        last = heapq.nlargest(limit, found, key=lambda each: (each[2].seen_at, *each[:2]))
    return [letter for _partition, _offset, letter in reversed(last)]


def redrive(settings: Settings, codes: Sequence[str] = REDRIVEN_BY_DEFAULT, *, dry_run: bool = False) -> Redriven:
    """Send the original bytes of dead letters to their source topics, under their original keys.

    How far a code has been redriven is kept as the committed offsets of a consumer group of its own, so that a second
    call sends only what came after. Offsets are committed once the broker has acknowledged what was sent: a crash in
    between sends some letters twice, which an event's id then tells.
    """
    done = Redriven()
    sender = _Sender(settings)
    topics = Topics.of(settings)
    sendable = {topic.name for topic in (*topics.events, topics.feedback)}
    for code in codes:
        with closing(_consumer(settings, f"deadletter-redrive-{code}")) as consumer:
            ends: dict[int, int] = {}
            for partition, offset, letter in _letters(consumer, settings, _after_committed(consumer, topics)):
                ends[partition] = offset + 1
                if letter.code != code:
                    continue
                if letter.topic not in sendable:
                    done.kept[letter.topic, code] += 1
                    continue
                done.sent[letter.topic, code] += 1
                if not dry_run:
                    sender.send(letter)
            if dry_run or not ends:
                continue
            sender.flush()
            consumer.commit(
                offsets=[TopicPartition(topics.deadletter.name, partition, end) for partition, end in ends.items()],
                asynchronous=False,
            )
    return done


def _consumer(settings: Settings, group: str) -> Consumer:
    return kafka.consumer(settings, group, **{"enable.partition.eof": True})


def _after_committed(consumer: Consumer, topics: Topics) -> Start:
    def start(partition: int, low: int, _high: int) -> int:
        [position] = consumer.committed([TopicPartition(topics.deadletter.name, partition)], timeout=_REQUEST_S)
        return low if position.offset == OFFSET_INVALID else max(low, position.offset)

    return start


def _letters(consumer: Consumer, settings: Settings, start: Start) -> Iterator[tuple[int, int, DeadLetter]]:
    """Every letter (partition, offset, letter) from `start` to where the topic ends now."""
    topic = Topics.of(settings).deadletter
    ends: dict[int, int] = {}
    assigned: list[TopicPartition] = []
    for partition in range(topic.partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=_REQUEST_S)
        if (first := start(partition, low, high)) < high:
            ends[partition] = high
            assigned.append(TopicPartition(topic.name, partition, first))
    consumer.assign(assigned)
    decoder = msgspec.json.Decoder(DeadLetter)
    while ends:
        for message in consumer.consume(_BATCH, timeout=1.0):
            partition, offset, error = message.partition(), message.offset(), message.error()
            assert partition is not None
            assert offset is not None
            if error is None:
                if partition in ends and offset < ends[partition]:
                    value = message.value()
                    assert value is not None
                    yield partition, offset, decoder.decode(value)
            elif error.code() != error._PARTITION_EOF:
                raise KafkaException(error)
            if offset + (error is None) >= ends.get(partition, 0):
                ends.pop(partition, None)


class _Sender:
    """Sends letters' original records and knows whether all arrived."""

    def __init__(self, settings: Settings) -> None:
        self._producer = kafka.producer(settings)
        self._failed = 0

    def send(self, letter: DeadLetter) -> None:
        """Queue a record. Without a key it goes to the partition it came from."""
        placed = {} if letter.key is not None else {"partition": letter.partition}
        while True:
            try:
                self._producer.produce(
                    letter.topic, key=letter.key, value=letter.value, on_delivery=self._delivered, **placed
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def flush(self) -> None:
        """Wait for every acknowledgement."""
        left = self._producer.flush(_FLUSH_S)
        if left or self._failed:
            raise KafkaException(
                f"{left + self._failed} redriven records were not acknowledged; nothing of their code is remembered as "
                f"sent: run it again"
            )

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failed += error is not None
