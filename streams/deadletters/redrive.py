"""Dead letters read from their topic, and sent again to where they came from."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import KafkaError, Message

from infra import kafka
from infra.failure import Failure
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import DeadLetter
from streams.contracts.rejection import CODES, Code
from streams.log_reader import LogReader, Start, log_reader
from streams.stage import Record

_FLUSH_S = 60.0
_DECODER = msgspec.json.Decoder(DeadLetter)

REDRIVEN_BY_DEFAULT: tuple[Code, ...] = tuple(code for code in CODES if code != "too_late")
"""A late record is later still when it is sent again, so it isn't unless asked for."""


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

    with log_reader(settings, "deadletter-list") as reader:
        letters = ((record, _letter(record)) for record in reader.until_now(Topics.of(settings).deadletter, start))
        found = (each for each in letters if code in (None, each[1].code))
        last = heapq.nlargest(limit, found, key=lambda each: (each[1].seen_at, each[0].partition, each[0].offset))
    return [letter for _record, letter in reversed(last)]


def redrive(settings: Settings, codes: Sequence[str] = REDRIVEN_BY_DEFAULT, *, dry_run: bool = False) -> Redriven:
    """Send the original bytes of dead letters to their source topics, under their original keys.

    How far a code has been redriven is kept as the committed offsets of a consumer group of its own, so that a second
    call sends only what came after. Offsets are committed once the broker has acknowledged what was sent: a crash in
    between sends some letters twice, which an event's id then tells.

    Raises:
        Unreachable: no broker.
        Failure: the broker did not take everything.
    """
    kafka.wait_ready(settings)
    done = Redriven()
    sender = _Sender(settings)
    topics = Topics.of(settings)
    sendable = {topic.name for topic in (*topics.events, topics.feedback)}
    for code in codes:
        with log_reader(settings, f"deadletter-redrive-{code}") as reader:
            ends: dict[int, int] = {}
            for record in reader.until_now(topics.deadletter, _after_committed(reader, topics)):
                ends[record.partition] = record.offset + 1
                letter = _letter(record)
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
            reader.commit(topics.deadletter, ends)
    return done


def _after_committed(reader: LogReader, topics: Topics) -> Start:
    def start(partition: int, low: int, _high: int) -> int:
        return max(low, reader.committed(topics.deadletter, partition) or 0)

    return start


def _letter(record: Record) -> DeadLetter:
    return _DECODER.decode(record.value or b"")


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
            raise Failure(
                f"{left + self._failed} redriven records were not acknowledged; nothing of their code is remembered as "
                f"sent: run it again"
            )

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failed += error is not None
