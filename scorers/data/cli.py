"""`keypulse data`: check tables, make them from the simulator, import them from public data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(no_args_is_help=True, help="Tables of products, keywords, campaign history and searches.")


@app.command("check", epilog="Example: keypulse data check tables --json")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of tables, NAME.parquet or NAME.csv; see docs/data.md.")],
    rows: Annotated[int, typer.Option(min=1, help="Most row numbers to name for each finding.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Report nulls, outliers, duplicates and broken references of every column. Exit code 1 if a table is bad."""
    from datetime import UTC, datetime

    from infra.clock import SystemClock
    from infra.failure import Failure

    try:
        from scorers.data import check as checking
    except ModuleNotFoundError as error:
        raise Failure(f"{error.name} is not installed: pip install 'keypulse[train]'") from None

    today = datetime.fromtimestamp(SystemClock().now_ms() / 1_000, UTC).date()
    reports = checking.check_folder(folder, today, rows)
    typer.echo(checking.as_json(reports) if as_json else "\n".join(checking.as_text(reports)))
    if any(report.bad for report in reports):
        raise typer.Exit(1)


@app.command("schema", epilog="Example: keypulse data schema")
def schema() -> None:
    """Print every table's columns, as Markdown."""
    from scorers.data.schemas import TABLES, as_markdown

    typer.echo("\n\n".join(as_markdown(table) for table in TABLES.values()))


_import = typer.Typer(no_args_is_help=True, help="Public data sets, or an event history, to tables.")
app.add_typer(_import, name="import")

Out = Annotated[Path, typer.Option("--out", help="Folder to write the tables to.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV instead of Parquet.")]


@app.command("simulate", epilog="Example: keypulse data simulate --out tables --events 1000000 --days 10")
def simulate(
    out: Out,
    events: Annotated[int, typer.Option(min=1_000, help="About how many events.")] = 1_000_000,
    days: Annotated[float, typer.Option(min=0.05, help="How far back they go.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and --until make the same market.")] = 1,
    products: Annotated[int, typer.Option(min=50, help="Items; ignored with --catalogue.")] = 2_400,
    keywords: Annotated[int, typer.Option(min=200, help="Texts as shoppers type them.")] = 12_000,
    catalogue: Annotated[
        Path | None, typer.Option(help="Products of your own to build the market around: CSV or Parquet", exists=True)
    ] = None,
    until: Annotated[int | None, typer.Option(help="End of the history, ms since 1970; a few seconds ago.")] = None,
    csv: Csv = False,
) -> None:
    """Make a market and write its tables. The events themselves, and the truth, lie in OUT/events."""
    from streams.simulator.cli import history

    history(
        out / "events",
        events=events,
        days=days,
        seed=seed,
        products=products,
        keywords=keywords,
        catalogue=catalogue,
        until=until,
    )
    import_events(out / "events", out, csv)


@_import.command("events", epilog="Example: keypulse data import events .keypulse/history --out tables")
def import_events(
    folder: Annotated[Path, typer.Argument(help="History folder (search, impression, click, purchase; states).")],
    out: Out,
    csv: Csv = False,
) -> None:
    """Count an event history by day."""
    from infra.settings import load
    from scorers.data import daily
    from scorers.history import History

    _write(out, daily.tables(History(folder), load()), csv)


@_import.command("esci", epilog="Example: keypulse data import esci examples.parquet products.parquet --out tables")
def import_esci(
    examples: Annotated[Path, typer.Argument(help="shopping_queries_dataset_examples.parquet")],
    products: Annotated[Path, typer.Argument(help="shopping_queries_dataset_products.parquet")],
    out: Out,
    locale: Annotated[str, typer.Option(help="us, es or jp")] = "us",
    csv: Csv = False,
) -> None:
    """Amazon's Shopping Queries data set: products, keywords and their relevance."""
    from scorers.data.importing import esci

    _write(out, esci(examples, products, locale), csv)


@_import.command("wands", epilog="Example: keypulse data import wands WANDS/dataset --out tables")
def import_wands(
    folder: Annotated[Path, typer.Argument(help="Folder with query.csv, product.csv and label.csv.")],
    out: Out,
    csv: Csv = False,
) -> None:
    """Wayfair's WANDS data set: products, keywords and their relevance."""
    from scorers.data.importing import wands

    _write(out, wands(folder), csv)


def _write(out: Path, tables: dict[str, pl.DataFrame], csv: bool) -> None:
    from scorers.data.writing import write

    rows = write(out, tables, csv=csv)
    typer.echo(f"{out}: " + ", ".join(f"{name} {count:,}" for name, count in rows.items()))
