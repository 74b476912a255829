"""Keypulse's own commands as processes, each with a log of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.failure import Failure

_STOP_S = 40.0
_TAIL_BYTES = 3_000


class ProcessFailed(Failure):
    """A command failed. The text holds the last lines of its log."""


class Processes:
    """Runs `keypulse ...` with further settings in the environment."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = os.environ | environment
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, *arguments: str, shown: bool = False) -> None:
        """Run a command to its end; `shown`: its progress and its log lines go to our own standard error.

        Raises:
            ProcessFailed: it ended with another code than 0.
        """
        self.start(name, *arguments, shown=shown)
        self.wait(name)

    def start(self, name: str, *arguments: str, shown: bool = False) -> None:
        """Start a command that goes on by itself."""
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "keypulse", *arguments],
                env=self._environment,
                stdout=log,
                stderr=None if shown else log,
            )

    def wait(self, name: str) -> None:
        """Wait for a command to end. Raises `ProcessFailed`."""
        code = self._running[name].wait()
        del self._running[name]
        self._check(name, code)

    def ended(self, name: str) -> bool:
        """Whether a started command has ended by itself."""
        return self._running[name].poll() is not None

    def check(self, *ending: str) -> None:
        """Raise `ProcessFailed` if a command has failed, or ended although it is not among `ending`."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None and (code != 0 or name not in ending):
                self._check(name, code or 1)

    def stop(self) -> dict[str, int]:
        """Stop all that run with SIGTERM; their exit codes."""
        for process in self._running.values():
            process.terminate()
        codes = {}
        for name, process in self._running.items():
            try:
                codes[name] = process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        self._running.clear()
        return codes

    def _check(self, name: str, code: int) -> None:
        if code:
            tail = self._log(name).read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
            raise ProcessFailed(f"{name} ended with {code}. The end of {self._log(name)}:\n{tail}")

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.replace(' ', '-')}.log"
