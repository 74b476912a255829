"""Starts, watches and stops the local servers; one that the settings name by URL is only asked if it answers."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from infra.failure import Failure
from infra.reach import one_line, until_reachable
from infra.redis import without_password
from infra.settings import Settings, SettingsError
from infra.stack import state
from infra.stack.embedded import WHAT_IT_GIVES_UP, EmbeddedBroker
from infra.stack.kafka import Kafka
from infra.stack.milvus import MilvusLite
from infra.stack.server import Server, Unavailable, free_port, is_free
from infra.stack.state import EXTERNAL, Part
from infra.stack.valkey import Valkey

READY_S = 90.0
"""A server that doesn't answer this long after its start has failed. Kafka takes 4 s on an idle machine."""
STOP_S = 20.0
"""A server that still runs this long after SIGTERM is killed."""
EXTERNAL_S = 15.0
"""How long a server of the user's own is tried."""
PROBE_PAUSE_S = 0.1

Tell = Callable[[str], None]


class StackError(Failure):
    """A server could not be started. The text holds the last lines of its log."""

    exit_code = 4


@dataclass(frozen=True)
class _Starting:
    """A server whose process runs and that doesn't answer yet, so that the part has no URL."""

    server: Server
    port: int
    part: Part


@dataclass(frozen=True)
class Health:
    """What `status` found out about one part."""

    part: Part
    healthy: bool
    detail: str = ""


class Supervisor:
    """The stack of one `settings.home`.

    Args:
        tell: takes a line for the user about each step.
        tied: the servers end with this process, however it ends (Linux); else they outlive it.
        embedded_broker: take librdkafka's embedded broker where Apache Kafka cannot be had.
    """

    def __init__(
        self, settings: Settings, tell: Tell = print, *, tied: bool = False, embedded_broker: bool = True
    ) -> None:
        self._settings = settings
        self._folder = state.folder(settings)
        self._tell = tell
        self._tied = tied
        self._embedded_broker = embedded_broker

    def up(self) -> list[Part]:
        """Start what does not run yet and return once all parts answer.

        Raises:
            StackError: a server died or never became ready; those that this call started are stopped again.
            Unavailable: a server cannot be had on this machine.
            Unreachable: a server of the user's own does not answer.
            SettingsError: there can be no folder at `home`.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"setting home: got {str(self._settings.home)!r}, where no folder can be made: {error.strerror}"
            ) from error
        with self._locked():
            known = {part.name: part for part in state.read(self._folder)}
            parts: dict[str, Part] = {}
            started: list[_Starting] = []
            try:
                for server in _servers():
                    before = known.get(server.name)
                    if server.setting in self._settings.model_fields_set:
                        parts[server.name] = self._external(server)
                    elif before and before.process:
                        parts[server.name] = before
                    else:
                        self._report_crash(before)
                        started.append(self._start(server, before))
                for starting in started:
                    parts[starting.part.name] = self._ready(starting)
            except BaseException:
                self._stop([starting.part for starting in started])
                raise
            state.write(self._folder, list(parts.values()))
        return list(parts.values())

    def down(self) -> list[Part]:
        """Stop what runs, in order, and return it. Data stays."""
        if not self._folder.exists():
            return []
        with self._locked():
            parts = state.read(self._folder)
            running = [part for part in parts if part.process]
            self._stop(running)
            # The port is kept, so that the next start has the same address; the pid is not.
            state.write(self._folder, [replace(p, pid=None, started=None) for p in parts if p.kind != EXTERNAL])
        return running

    def reset(self) -> None:
        """Stop everything and delete the data; and with a Kafka of ours what was made from its topics.

        The feature archive would go on at offsets that the next topics do not have. Models stay.
        """
        self.down()
        doomed = [self._folder]
        if Kafka.setting not in self._settings.model_fields_set:
            doomed += [self._settings.feature_log_path, self._settings.faust_path]
        for folder in doomed:
            shutil.rmtree(folder, ignore_errors=True)

    def status(self) -> list[Health]:
        """Each part, whether it answers, and if not, why."""
        servers = {server.name: server for server in _servers()}
        found = []
        for part in state.read(self._folder):
            if part.kind != EXTERNAL and not part.process:
                cause = "stopped" if part.pid is None else f"crashed; the end of its log:\n{part.log_tail()}"
                found.append(Health(part, False, cause))
                continue
            try:
                servers[part.name].probe(self._at(part.setting, part.url))
                found.append(Health(part, True))
            except Exception as error:
                found.append(Health(part, False, f"runs, but does not answer: {one_line(error)}"))
        return found

    def _external(self, server: Server) -> Part:
        url = str(getattr(self._settings, server.setting))
        shown = f"{server.name} at {without_password(url)} (setting {server.setting})"
        version = until_reachable(shown, lambda: server.probe(self._settings), EXTERNAL_S)
        self._tell(f"{shown}: yours")
        return Part(server.name, server.setting, EXTERNAL, version or "unknown", url)

    def _at(self, setting: str, url: str) -> Settings:
        return self._settings.model_copy(update={setting: url})

    def _report_crash(self, part: Part | None) -> None:
        if part and part.pid is not None:
            self._tell(f"{part.name} had crashed and starts again; the end of its log:\n{part.log_tail()}")

    def _start(self, server: Server, before: Part | None) -> _Starting:
        try:
            version = server.install()
        except Unavailable as error:
            if not (self._embedded_broker and isinstance(server, Kafka)):
                raise
            self._tell(f"No Apache Kafka, librdkafka's embedded broker instead ({WHAT_IT_GIVES_UP}): {error}")
            server = EmbeddedBroker()
            version = server.install()
        place = self._folder / server.name
        place.mkdir(exist_ok=True)
        port = _port(before)
        log = self._folder / f"{server.name}.log"
        command = server.command(place, port)
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=place,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                start_new_session=True,  # Ctrl-C in the terminal is for the command, not for the servers
                preexec_fn=_end_with_parent if self._tied and sys.platform == "linux" else None,
            )
        try:
            began = psutil.Process(process.pid).create_time()
        except psutil.NoSuchProcess:
            began = time.time()
        part = Part(server.name, server.setting, server.kind, version, "", process.pid, began, str(log))
        self._tell(f"{part.name}: starting {part.kind} {part.version}".rstrip())
        return _Starting(server, port, part)

    def _ready(self, starting: _Starting) -> Part:
        part = starting.part
        deadline = time.monotonic() + READY_S
        while True:
            try:
                url = starting.server.url(self._folder / part.name, starting.port)
                version = starting.server.probe(self._at(part.setting, url)) or part.version
                self._tell(f"{part.name}: ready, {part.kind} {version} at {url}")
                return replace(part, url=url, version=version)
            except Exception as error:
                if not part.process:
                    raise StackError(f"{part.name} ended while starting; its log's end:\n{part.log_tail()}") from error
                if time.monotonic() > deadline:
                    raise StackError(
                        f"{part.name} did not answer within {READY_S:.0f} s ({one_line(error)}); its log's end:\n"
                        f"{part.log_tail()}"
                    ) from error
            time.sleep(PROBE_PAUSE_S)

    def _stop(self, parts: list[Part]) -> None:
        processes = [(part, part.process) for part in parts]
        for part, process in processes:
            if process:
                self._tell(f"{part.name}: stopping")
                process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs([process for _, process in processes if process], timeout=STOP_S)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=5)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _servers() -> tuple[Server, ...]:
    return (Kafka(), Valkey.checkpoints(), Valkey.online_store(), MilvusLite())


def _port(before: Part | None) -> int:
    """The port it had, if that is free: then an address in somebody's configuration stays right."""
    if before:
        last = int(before.url.rpartition(":")[2].partition("/")[0])
        if is_free(last):
            return last
    return free_port()


def _end_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
