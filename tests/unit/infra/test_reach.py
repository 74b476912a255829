"""Waiting for a server: one line a try, growing pauses, an end."""

from __future__ import annotations

import pytest

from infra.reach import LONGEST_PAUSE_S, Unreachable, until_reachable


class Server:
    """Answers after `failures` tries; its clock moves by the pauses alone."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.now = 0.0
        self.pauses: list[float] = []
        self.lines: list[str] = []

    def attempt(self) -> str:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("connection\n refused")
        return "pong"

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def reach(self, timeout_s: float) -> str:
        return until_reachable(
            "Redis at here",
            self.attempt,
            timeout_s,
            say=lambda text, *values: self.lines.append(text % values),
            sleep=self.sleep,
            monotonic=lambda: self.now,
        )


def test_an_answer_at_once_says_nothing() -> None:
    server = Server(failures=0)
    assert server.reach(10) == "pong"
    assert server.lines == []


def test_each_failed_try_is_one_line_and_pauses_double_up_to_a_limit() -> None:
    server = Server(failures=8)
    assert server.reach(60) == "pong"
    assert server.lines[0] == "Redis at here does not answer, next try in 0.2 s: connection refused"
    assert server.pauses[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(server.pauses) == LONGEST_PAUSE_S


def test_the_end_names_server_and_cause_and_comes_in_time() -> None:
    server = Server(failures=1_000)
    with pytest.raises(Unreachable, match=r"^Redis at here does not answer: connection refused$"):
        server.reach(30)
    assert server.now <= 30
