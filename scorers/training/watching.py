"""Training watched live: the last round's measures and the way of the loss, one table on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scorers.training.learners.learner import Watch
from scorers.training.measures import Fit, Round

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
_TOLD = 25
"""Where no terminal is, every so many-th round gets a line."""


@contextmanager
def watched(title: str, console: Console) -> Iterator[Watch]:
    """What is told of each round and shows it."""
    losses: list[float] = []
    with Live(console=console, transient=True, refresh_per_second=4) as live:

        def watch(done: Round) -> None:
            if done.number == 1:
                losses.clear()
            losses.append(done.validation.log_loss)
            if console.is_terminal:
                live.update(_shown(title, done, losses))
            elif done.number % _TOLD == 1:
                console.print(_line(title, done), highlight=False, soft_wrap=True)

        yield watch


def _shown(title: str, done: Round, losses: Sequence[float]) -> RenderableType:
    table = Table(title=f"{title}, round {done.number} of at most {done.most}", title_justify="left")
    table.add_column("")
    for name in ("training", "validation"):
        table.add_column(name, justify="right")
    for field in fields(Fit):
        row = (f"{getattr(fit, field.name):.4f}" for fit in (done.training, done.validation))
        table.add_row(field.name.replace("_", " "), *row)
    return Group(table, Text(f"validation loss {sparkline(losses)}"))


def _line(title: str, done: Round) -> str:
    seen, unseen = done.training, done.validation
    return (
        f"{title} round {done.number}: log loss {seen.log_loss:.5f} training, {unseen.log_loss:.5f} validation; "
        f"AUC {unseen.auc:.4f}, NDCG {unseen.ndcg:.4f}, observed/predicted {unseen.calibration:.3f}"
    )


def sparkline(values: Sequence[float]) -> str:
    """The last values as bars of eight heights."""
    shown = list(values)[-_WIDTH:]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BARS[int((value - low) / span * (len(_BARS) - 1))] for value in shown)
