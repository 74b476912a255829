"""What the supervisor must know of a server."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Protocol

from infra.failure import Failure
from infra.settings import Settings

PORTS = range(20_000, 32_000)
"""Ports for servers. None that an outgoing connection may get (Linux: from 32768 on): a client that tries until its
server listens would now and then take the server's own port."""
_given: set[int] = set()


class Unavailable(Failure):
    """A server cannot be had on this machine. The text says what is missing and how to get it."""

    exit_code = 4


class Server(Protocol):
    """A kind of local server. It holds no state: the supervisor tells folder and port."""

    name: str
    """`kafka`, `redis`, `redis-online` or `milvus`."""
    setting: str
    """The setting that holds its URL; given by the user, it means a server of their own."""
    kind: str
    """What it is, e.g. `apache-kafka`."""

    def install(self) -> str:
        """Have its program at hand, from a cache or a registry; the version. Raises `Unavailable`."""
        ...

    def command(self, folder: Path, port: int) -> list[str]:
        """The command that runs it on `port` of 127.0.0.1 with its data in `folder`, which is made ready here."""
        ...

    def url(self, folder: Path, port: int) -> str:
        """Its address as the setting wants it. Raises OSError while that isn't known yet."""
        ...

    def probe(self, settings: Settings) -> str | None:
        """Ask the server that `settings` name for what it must be able to do; its version, None if it doesn't tell.

        Raises whatever the client raises while the server isn't ready.
        """
        ...


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, and that this process was not given before.

    Raises:
        Unavailable: all are taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise Unavailable(
        f"no port from {PORTS.start} to {PORTS.stop - 1} of 127.0.0.1 is free: stop servers that you don't need"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
