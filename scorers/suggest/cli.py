"""`keypulse suggest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def suggest(
    products: Annotated[Path, typer.Option(help="Table of products, CSV or Parquet: product_id, title; more helps.")],
    keywords: Annotated[Path, typer.Option(help="Table of keywords, CSV or Parquet: keyword; searches helps.")],
    out: Annotated[Path, typer.Option(help="Table to write, .csv or .parquet.")],
    top: Annotated[int, typer.Option(min=1, max=1_000, help="Most keywords for each product.")] = 20,
    history: Annotated[
        Path | None,
        typer.Option(help="Folder of tables, event history, or a file of searches or campaign history; betters it."),
    ] = None,
    cleared: Annotated[
        bool, typer.Option("--cleared", help="The keywords are free of names, addresses and the like: my word on it.")
    ] = False,
) -> None:
    """Suggest keywords for the products of a table, with nothing trained. docs/data.md has the tables' columns.

    Example: keypulse suggest --products products.csv --keywords keywords.csv --out suggestions.csv --top 10
    """
    from scorers.suggest.run import suggest_command

    suggest_command(products, keywords, out, top, history, cleared)
