"""Commands of retrieval: two towers, judging, rolling an index back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

TowerKind = Literal["static", "minilm"]
History = Annotated[Path, typer.Option("--history", help="History folder (`keypulse simulate history` writes one)")]


def train_towers(
    history: History,
    towers: Annotated[
        TowerKind, typer.Option(help="Text part: static (word vectors, quick and small) or minilm (transformer)")
    ] = "static",
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; it stops when recall stops rising")] = None,
    trials: Annotated[int, typer.Option(min=0, help="Hyperparameters to try first; 0 takes the usual")] = 0,
) -> None:
    """Train two towers, of products and of keywords, on clicks and purchases; export them as the workers' encoder.

    Interrupted, it goes on where it stood. On several cores or machines:
    torchrun --nproc_per_node=2 -m scorers.training.towers --history DIR

    Example: keypulse train towers --history .keypulse/history
    """
    from scorers.training.towers.run import train_command

    train_command(history, towers, epochs, trials)


app = typer.Typer(no_args_is_help=True, help="How good the search for keywords is.")


@app.command("evaluate")
def evaluate(
    history: History,
    catalogue: Annotated[
        Path | None,
        typer.Option(help="Products of a real shop (CSV, Parquet): judge on them, too", exists=True),
    ] = None,
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/retrieval.json"),
) -> None:
    """Judge each way to find keywords: by a simulated market's truth, and on a real catalogue's words.

    Example: keypulse retrieval evaluate --history .keypulse/history --catalogue products.csv
    """
    from scorers.retrieval.judging.run import evaluate_command

    evaluate_command(history, catalogue, out)


def roll_back_index() -> None:
    """Point the alias back to the keyword index before the current one. Workers follow within ten seconds.

    Example: keypulse index rollback
    """
    from scorers.retrieval.build import roll_back_command

    roll_back_command()
