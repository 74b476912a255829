"""Keypulse's commands one after another, in a home with servers of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from infra.processes import Processes
from infra.settings import Settings, environment, load
from infra.stack import state
from infra.stack.supervisor import Supervisor
from infra.steps import Steps

PASSED_ON = (
    "home", "bundle_path", "embedding_model", "kafka_servers", "checkpoint_redis_url", "online_redis_url", "milvus_uri",
)  # fmt: skip
"""Settings that the commands are to have."""


class Stages:
    """Servers and commands of one home."""

    def __init__(self, home: Path, console: Console) -> None:
        self._home = home.absolute()
        self._console = console
        self._steps = Steps(console)

    @property
    def seconds(self) -> dict[str, float]:
        """What each step took."""
        return self._steps.seconds

    @contextmanager
    def servers(self) -> Iterator[Settings]:
        """Empty the home and start its servers, for as long as the body runs; the settings to reach them.

        Raises:
            Failure: a server did not start.
        """
        shutil.rmtree(self._home, ignore_errors=True)
        supervisor = Supervisor(load(home=self._home), tell=self._console.print, tied=True)
        try:
            with self._steps.step("servers"):
                supervisor.up()
            yield state.settings(home=self._home)
        finally:
            supervisor.down()

    def commands(self, settings: Settings, commands: Mapping[str, list[str]]) -> None:
        """Run the commands in their order; each has a log in the home.

        Raises:
            ProcessFailed: one failed; the text ends with its log's last lines.
        """
        processes = Processes(environment(settings, *PASSED_ON), self._home / "logs")
        try:
            for name, arguments in commands.items():
                with self._steps.timed(name) as console:
                    processes.run(name, *arguments, shown=console.is_terminal)
        finally:
            processes.stop()
