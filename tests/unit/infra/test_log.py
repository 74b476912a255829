"""Log lines: what says nothing new is not said again and again."""

from __future__ import annotations

import logging

from infra.log import REPEATED_AFTER_S, Unrepeated


def line(text: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord("librdkafka", logging.ERROR, "", 0, "FAIL [consumer-%d]: %s", (2, text), None)
    record.created = at
    return record


def test_a_line_is_said_again_after_a_while_only() -> None:
    unrepeated = Unrepeated()
    refused = "Connect to 127.0.0.1:9092 failed: Connection refused (after {}ms in state CONNECT)"
    said = [at for at in range(40) if unrepeated.filter(line(refused.format(at % 3), 1_000.0 + at))]
    assert said == list(range(0, 40, int(REPEATED_AFTER_S)))


def test_another_line_is_said_at_once() -> None:
    unrepeated = Unrepeated()
    texts = ["10.0.0.1: refused", "10.0.0.2: refused", "10.0.0.1: refused"]
    assert [unrepeated.filter(line(text, 1_000.0)) for text in texts] == [True, True, False]


def test_our_own_lines_are_said_every_time() -> None:
    unrepeated = Unrepeated()
    record = logging.LogRecord("streams.app", logging.ERROR, "", 0, "again", (), None)
    assert unrepeated.filter(record)
    assert unrepeated.filter(record)
