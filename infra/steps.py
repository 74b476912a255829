"""Progress of a command of several steps: a bar a step on a terminal, a line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int, int], None]
"""Told how much of a step is done, and how much there is."""


class Steps:
    """Shows the steps on standard error and remembers how long each took."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Advance]:
        """One step; the body may tell how far it is."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with (
            self.timed(name) as console,
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        ):
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def timed(self, name: str) -> Iterator[Console]:
        """One step that shows its own progress on the console that it is given."""
        begun = time.perf_counter()
        yield self._console
        self.seconds[name] = time.perf_counter() - begun
        self._console.print(f"{name}: {self.seconds[name]:.1f} s", highlight=False)


def silent() -> Steps:
    """Steps that show nothing."""
    return Steps(Console(stderr=True, quiet=True))
