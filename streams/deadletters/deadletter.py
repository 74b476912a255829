"""Records that could not be used: how they are kept, and when there are so many that a partition must stop."""

from __future__ import annotations

import traceback
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import msgspec

from infra import metrics
from infra.failure import Failure
from infra.log import get_logger
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import DeadLetter
from streams.contracts.rejection import Rejected
from streams.exactly_once import BY_KEY, Outgoing

if TYPE_CHECKING:
    from streams.stage import Record

log = get_logger(__name__)

_STACK_LIMIT = 8_192
"""Characters of a stack that are kept: its end, where the cause is."""


def dead_letter(record: Record, error: Exception, now_ms: int) -> DeadLetter:
    """What is kept of a record that `error` made unusable. Any error but `Rejected` is ours: `failed`, with stack."""
    rejected = error if isinstance(error, Rejected) else None
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        code=rejected.code if rejected else "failed",
        field=rejected.field if rejected else "$",
        message=rejected.message if rejected else f"{type(error).__name__}: {error}; redrive once it is mended",
        stack="" if rejected else "".join(traceback.format_exception(error))[-_STACK_LIMIT:],
        key=record.key,
        value=record.value or b"",
        record_time=record.time_ms,
        seen_at=now_ms,
    )


def outgoing(topic: str, letter: DeadLetter) -> Outgoing:
    """The message that carries a letter to the dead-letter `topic`."""
    return Outgoing(topic, BY_KEY, letter.topic.encode(), msgspec.json.encode(letter))


def bury(record: Record, error: Exception, topic: str, now_ms: int) -> Outgoing:
    """The message to the dead-letter `topic` of a record that `error` made unusable, counted; our errors are logged."""
    letter = dead_letter(record, error, now_ms)
    metrics.RECORDS_DEADLETTERED.labels(record.topic, letter.code).inc()
    if letter.code == "failed":
        place = f"{record.topic}[{record.partition}] offset {record.offset}"
        log.error("%s cannot be used, and the fault is ours", place, exc_info=error)
    return outgoing(topic, letter)


class TooManyBadRecords(Failure):
    """A partition has so many bad records that the fault lies deeper: a bad deploy, a wrong topic. It must stop."""


class BadRecordGuard:
    """Stops a partition past a share of bad records over a window, or past a run of them.

    One guard a partition. The caller notes records *before* it commits them: then a restart meets the same records,
    and stops again until the cause is mended, rather than dead-lettering everything bit by bit. Late events are not
    bad records; don't note them as such.
    """

    def __init__(self, settings: Settings) -> None:
        self._window = settings.deadletter_window
        self._max_ratio = settings.deadletter_max_ratio
        self._max_run = settings.deadletter_max_run
        self._noted = 0
        self._run = 0
        self._bad: deque[int] = deque()

    def note(self, ok: bool, count: int = 1) -> None:
        """Note the next `count` records of the partition, good or bad; no record says nothing.

        Raises:
            TooManyBadRecords: stop, commit nothing.
        """
        if not count:
            return
        self._noted += count
        if ok:
            self._run = 0
            return
        self._run += count
        self._bad.extend(range(self._noted - count, self._noted))
        while self._bad[0] < self._noted - self._window:
            self._bad.popleft()
        if self._run > self._max_run:
            self._stop(f"{self._run} bad records in a row, at most {self._max_run} are allowed (deadletter_max_run)")
        ratio = len(self._bad) / self._window
        if self._noted >= self._window and ratio > self._max_ratio:
            self._stop(
                f"{ratio:.0%} of the last {self._window} records are bad, at most {self._max_ratio:.0%} are allowed "
                f"(deadletter_max_ratio)"
            )

    def _stop(self, what: str) -> None:
        raise TooManyBadRecords(
            f"{what}. Nothing of this batch is committed. See `keypulse deadletter list`; mend the producer, or raise "
            f"the limit to dead-letter the rest, then start again"
        )


class DeadLetters:
    """What the reader of a topic does with records that it can't use: a letter for each, and a guard a partition."""

    def __init__(self, settings: Settings) -> None:
        self._topic = Topics.of(settings).deadletter.name
        self._guards: dict[int, BadRecordGuard] = defaultdict(lambda: BadRecordGuard(settings))

    def good(self, record: Record) -> None:
        """A record could be used."""
        self._guards[record.partition].note(True)

    def bad(self, record: Record, error: Exception, now_ms: int) -> Outgoing:
        """Its letter.

        Raises:
            TooManyBadRecords: stop, acknowledge nothing.
        """
        self._guards[record.partition].note(False)
        return bury(record, error, self._topic, now_ms)
