"""Processes under test, and what CPU time they and the servers use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.failure import Failure
from infra.settings import Settings, environment

_STOP_S = 30.0
_PASSED_ON = (
    "home",
    "kafka_servers",
    "checkpoint_redis_url",
    "online_redis_url",
    "milvus_uri",
    "topic_prefix",
    "partitions",
)
Pids = Mapping[str, int]


class Ended(Failure):
    """A process ended before its time. The text holds the last lines of its log."""


class Worker:
    """`python -m MODULE ARGUMENTS` with the servers and topics of `settings`; its output goes to a file."""

    def __init__(self, name: str, module: Sequence[str], settings: Settings, **more: object) -> None:
        settings.home.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = settings.home.absolute() / f"{settings.topic_prefix}{name}.log"
        passed_on = environment(settings.model_copy(update=more), *_PASSED_ON, *more)
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", *module]
            self._process = subprocess.Popen(command, env=os.environ | passed_on, stdout=log, stderr=log, cwd=_ROOT)
        self.pid = self._process.pid

    def check_alive(self) -> None:
        """Raises `Ended` when it has."""
        if self._process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-4_000:]
            raise Ended(f"{self.name} ended with exit code {self._process.returncode}; the end of its log:\n{tail}")

    def stop(self) -> None:
        """Tell it to stop, and kill it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def stopped_after(*workers: Worker) -> Iterator[None]:
    """Stops the workers at the end, come what may."""
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


def cpu_seconds(pids: Pids) -> dict[str, float]:
    """User and system time of each process so far, s."""
    times = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
    return {name: time.user + time.system for name, time in times.items()}


def memory_mb(pids: Pids) -> dict[str, int]:
    """Resident memory of each process, MB."""
    return {name: psutil.Process(pid).memory_info().rss >> 20 for name, pid in pids.items()}


def cpu_us_per_event(before: Mapping[str, float], after: Mapping[str, float], events: int) -> dict[str, float]:
    """CPU time between two readings, in microseconds an event, by process and in all."""
    used = {name: (after[name] - before[name]) * 1e6 / events for name in before}
    return {name: round(value, 3) for name, value in (used | {"all": sum(used.values())}).items()}
