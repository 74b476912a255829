"""Commands of this floor: embedding model, index, ranker, evaluation, scoring worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Scorers: features in, suggestions out"
HISTORY = typer.Option("--history", help="History folder (search, impression, click, purchase; products, campaigns)")

app = typer.Typer(no_args_is_help=True, help=PANEL)

_embed_model = typer.Typer(no_args_is_help=True, help="The embedding model that workers use.")
_index = typer.Typer(no_args_is_help=True, help="The keyword index in Milvus.")
_train = typer.Typer(no_args_is_help=True, help="Train a model.")
app.add_typer(_embed_model, name="embed-model", rich_help_panel=PANEL)
app.add_typer(_index, name="index", rich_help_panel=PANEL)
app.add_typer(_train, name="train", rich_help_panel=PANEL)


@_embed_model.command("export")
def export_embedding_model(
    out: Annotated[Path | None, typer.Option(help="Folder to write; the bundle's encoder when left out")] = None,
) -> None:
    """Export the embedding model to int8 ONNX, so that workers embed without torch.

    Example: keypulse embed-model export
    """
    from scorers.retrieval.export import export_command

    export_command(out)


@_index.command("build")
def build_index(history: Annotated[Path, HISTORY]) -> None:
    """Embed the history's keywords into a new Milvus collection, check it, and swap it in.

    Example: keypulse index build --history .keypulse/history
    """
    from scorers.retrieval.build import build_command

    build_command(history)


@_train.command("ranker")
def train_ranker(history: Annotated[Path, HISTORY]) -> None:
    """Train P(click) and P(purchase | click) on the history's impressions and write the bundle.

    Example: keypulse train ranker --history .keypulse/history
    """
    from scorers.training.ranker import train_command

    train_command(history)


@app.command("evaluate", rich_help_panel=PANEL)
def evaluate(
    history: Annotated[Path, HISTORY],
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/eval.json"),
) -> None:
    """Judge the ranker on held-out campaigns, as of just before each was created.

    Example: keypulse evaluate --history .keypulse/history
    """
    from scorers.evaluation.evaluate import evaluate_command

    evaluate_command(history, out)
