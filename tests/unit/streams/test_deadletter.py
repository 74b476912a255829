"""A dead letter holds all that is needed to find the record and send it again; too many of them stop the partition."""

from __future__ import annotations

import msgspec
import pytest

from feature_repo.vectors import sum_names
from infra.settings import load
from infra.topics import Topics
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import Event, EventName
from streams.contracts.examples import CLICK
from streams.contracts.messages import DeadLetter
from streams.contracts.rejection import Rejected
from streams.deadletters.deadletter import BadRecordGuard, TooManyBadRecords, dead_letter, outgoing
from streams.stage import Record
from tests.pipeline import Pipeline

RECORD = Record("events.click", 3, 42, b"s1", b"\x00\xff not json", 1_760_000_000_000)


def test_a_rejected_record_keeps_its_place_its_bytes_and_the_cure() -> None:
    letter = dead_letter(RECORD, Rejected("invalid", "$.item", "missing; send text"), now_ms=5)
    message = outgoing("deadletter", letter)
    read = msgspec.json.decode(message.value or b"", type=DeadLetter)
    assert read == letter
    assert (read.topic, read.partition, read.offset, read.key, read.value) == (
        "events.click",
        3,
        42,
        b"s1",
        RECORD.value,
    )
    assert (read.code, read.field, read.message, read.stack) == ("invalid", "$.item", "missing; send text", "")
    assert (read.record_time, read.seen_at) == (RECORD.time_ms, 5)
    assert (message.topic, message.key) == ("deadletter", b"events.click")


def test_any_other_error_is_ours_and_keeps_its_stack() -> None:
    try:
        {}["boom"]
    except KeyError as error:
        letter = dead_letter(RECORD, error, now_ms=5)
    assert letter.code == "failed"
    assert "test_deadletter.py" in letter.stack
    assert "KeyError: 'boom'" in letter.message


def guard(window: int = 10, ratio: float = 0.5, run: int = 100) -> BadRecordGuard:
    return BadRecordGuard(load(deadletter_window=window, deadletter_max_ratio=ratio, deadletter_max_run=run))


def test_a_run_of_bad_records_stops_the_partition() -> None:
    subject = guard(window=1_000, run=3)
    for ok in (False, False, False, True, False, False, False):
        subject.note(ok)
    with pytest.raises(TooManyBadRecords, match=r"4 bad records in a row, at most 3 .*deadletter_max_run"):
        subject.note(False)


def test_no_good_record_does_not_end_a_run() -> None:
    subject = guard(window=1_000, run=3)
    for _ in range(3):
        subject.note(False)
        subject.note(True, 0)
    with pytest.raises(TooManyBadRecords, match="4 bad records in a row"):
        subject.note(False)


def test_a_share_of_bad_records_stops_the_partition() -> None:
    subject = guard(window=10, ratio=0.5)
    for number in range(1_000):
        subject.note(number % 2 == 0)
    with pytest.raises(TooManyBadRecords, match=r"60% of the last 10 records are bad, at most 50%"):
        subject.note(False)


def test_the_share_is_taken_over_a_full_window_only() -> None:
    subject = guard(window=10, ratio=0.5)
    for _ in range(9):
        subject.note(False)
    with pytest.raises(TooManyBadRecords):
        subject.note(False)


def test_what_lies_before_the_window_is_forgotten() -> None:
    subject = guard(window=10, ratio=0.5)
    for _ in range(20):
        for ok in (False,) * 5 + (True,) * 10:
            subject.note(ok)


def test_noting_many_at_once_is_noting_each() -> None:
    one, many = guard(window=20, ratio=0.4), guard(window=20, ratio=0.4)
    for ok, count in ((True, 30), (False, 5), (True, 7), (False, 3), (True, 0)):
        many.note(ok, count)
        for _ in range(count):
            one.note(ok)
    for subject in (one, many):
        with pytest.raises(TooManyBadRecords):
            subject.note(False)


@pytest.fixture
def stumbling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder has a fault: it fails on events whose id begins with `boom`."""
    decode = EventDecoder.decode

    def stumble(decoder: EventDecoder, name: EventName, value: bytes | None, broker_time_ms: int) -> Event:
        if b'"boom' in (value or b""):
            raise ZeroDivisionError("boom")
        return decode(decoder, name, value, broker_time_ms)

    monkeypatch.setattr(EventDecoder, "decode", stumble)


def clicks(pipeline: Pipeline, *event_ids: str) -> None:
    for event_id in event_ids:
        now = pipeline.clock.now_ms()
        pipeline.send("click", msgspec.structs.replace(CLICK, event_id=event_id, event_time=now))


@pytest.mark.usefixtures("stumbling")
def test_an_error_of_ours_buries_the_record_that_it_struck_and_the_others_are_counted() -> None:
    settings = load(partitions=1)
    pipeline = Pipeline(settings, RECORD.time_ms)
    clicks(pipeline, "e1", "boom", "e2")
    pipeline.drain()
    [record] = pipeline.broker.logs[Topics.of(settings).deadletter.name, 0]
    letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
    assert (letter.offset, letter.code) == (1, "failed")
    assert "ZeroDivisionError: boom" in letter.stack
    counted = dict(zip(sum_names(settings.windows), pipeline.store.vectors("item", [CLICK.item]).sums[0], strict=True))
    assert counted["clicks_10m"] == 2


@pytest.mark.usefixtures("stumbling")
def test_a_run_of_errors_of_ours_stops_the_partition_and_keeps_nothing() -> None:
    pipeline = Pipeline(load(partitions=1, deadletter_max_run=3), RECORD.time_ms)
    clicks(pipeline, "e1", *(f"boom{number}" for number in range(4)))
    with pytest.raises(TooManyBadRecords, match="4 bad records in a row"):
        pipeline.run("shopper", 0)
    assert not any(pipeline.broker.logs[topic, 0] for topic, _ in pipeline.broker.logs if "deadletter" in topic)
