"""Waiting for a server: try, say one line, back off, try again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from infra.failure import Failure
from infra.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0


class Unreachable(Failure):
    """A server did not answer in time. The text names it, its address and the last error, in one line."""

    exit_code = 3


def until_reachable(
    server: str,
    attempt: Callable[[], T],
    timeout_s: float,
    *,
    say: Callable[..., None] = log.warning,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """What `attempt()` returns, once it does not raise; one log line a failed try, pauses doubling up to 5 s.

    Args:
        server: what is waited for and where, e.g. `Kafka at 127.0.0.1:9092`.
        attempt: one try; any exception counts as "not yet".
        timeout_s: no try begins later than this after the first.
        say: takes the line of a failed try.

    Raises:
        Unreachable: the last try's error.
    """
    deadline = monotonic() + timeout_s
    pause = FIRST_PAUSE_S
    while True:
        try:
            return attempt()
        except Exception as error:
            reason = one_line(error)
            if monotonic() + pause > deadline:
                raise Unreachable(f"{server} does not answer: {reason}") from error
            say("%s does not answer, next try in %.1f s: %s", server, pause, reason)
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
