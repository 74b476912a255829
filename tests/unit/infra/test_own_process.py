"""Work in a process of its own gives what it would have given here."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from infra.failure import Failure
from infra.own_process import ProcessDied, items


def _squares(numbers: int) -> Iterator[int]:
    return (number * number for number in range(numbers))


def _owner() -> Iterator[int]:
    yield os.getpid()


def _failing() -> Iterator[int]:
    yield 1
    raise Failure("two is missing; send it")


def _killed() -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def _endless() -> Iterator[int]:
    while True:
        yield 1


def test_items_come_in_order() -> None:
    assert list(items(_squares, 500)) == [number * number for number in range(500)]


def test_the_process_is_another() -> None:
    assert list(items(_owner)) != [os.getpid()]


def test_an_error_comes_after_the_items_before_it() -> None:
    taken = items(_failing)
    assert next(taken) == 1
    with pytest.raises(Failure, match="two is missing; send it"):
        next(taken)


def test_a_killed_process_is_told() -> None:
    with pytest.raises(ProcessDied, match="_killed: its process ended with -9"):
        list(items(_killed))


def test_closing_ends_the_process() -> None:
    taken = items(_endless)
    assert next(taken) == 1
    taken.close()
    assert multiprocessing.active_children() == []
