"""Work in a process of its own, so that it has a core to itself: its results are taken while it goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from infra.failure import Failure

Given = ParamSpec("Given")
Item = TypeVar("Item")


class ProcessDied(Failure):
    """The process ended before its work did, e.g. killed for want of memory."""


def items(work: Callable[Given, Iterator[Item]], *given: Given.args, **named: Given.kwargs) -> Generator[Item]:
    """The items of `work(...)`, an iterator that is run in a new process, which works on the next one meanwhile.

    `work` is importable by name; what it is given, its items and its errors can be pickled. `close` ends the process
    once it has its next item.

    Raises:
        ProcessDied: the process was killed.
        Exception: what `work` raised.
    """
    context = get_context("spawn")  # a fork would copy locks that this process's threads hold
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sending, work, given, named), daemon=True)
    process.start()
    sending.close()
    try:
        while (received := _receive(receiving)) is not None:
            yield received[0]
    except EOFError:
        process.join()
        raise ProcessDied(f"{work.__name__}: its process ended with {process.exitcode} before its work did") from None
    finally:
        receiving.close()
        process.join()


def _receive(receiving: Connection) -> tuple[Any] | None:
    received: tuple[Any] | BaseException | None = receiving.recv()
    if isinstance(received, BaseException):
        raise received
    return received


def _send(
    sending: Connection, work: Callable[..., Iterator[Any]], given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """An item as a tuple of it, an error as it is, None for the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process gets it too, and ends this one
    try:
        for item in work(*given, **named):
            sending.send((item,))
        sending.send(None)
    except BrokenPipeError:
        pass  # nobody wants any more
    except Exception as error:
        sending.send(error)
