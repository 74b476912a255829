"""`keypulse keywords`: raw keywords to a dictionary, how each came there, and the dictionary to all that count."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Raw keywords to a dictionary of clusters.")

Dictionary = Annotated[
    Path | None, typer.Option("--dictionary", help="Folder of the dictionary; models/dictionary of `home` if left out")
]


@app.command("clean")
def clean(
    source: Annotated[
        Path, typer.Argument(help="Table of keywords (CSV or Parquet: keyword; searches, shoppers help), or a history")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write; models/dictionary of `home` if left out")] = None,
    products: Annotated[
        Path | None, typer.Option(help="Table of products: its brands are never repaired into other words")
    ] = None,
    cleared: Annotated[
        bool, typer.Option("--cleared", help="The keywords are free of names, addresses and the like: my word on it.")
    ] = False,
    groups: Annotated[
        bool, typer.Option("--groups", help="Gather suggestable keywords by topic; embeds them.")
    ] = False,
) -> None:
    """Filter, repair and cluster raw keywords; write the dictionary as Parquet.

    Example: keypulse keywords clean keywords.csv --products products.csv --out dictionary
    """
    from scorers.keywords.commands import clean_command

    clean_command(source, out, products, cleared, groups)


@app.command("publish")
def publish(
    dictionary: Dictionary = None,
    none: Annotated[
        bool, typer.Option("--none", help="Take the published one back: keywords count under normal forms again.")
    ] = False,
) -> None:
    """Hand a dictionary to all that count keywords: to workers by its topic, to this home's commands by a file.

    Publish before a backfill. What was counted under another version must be counted again (keypulse rebuild), and the
    index and the ranker made anew.

    Example: keypulse keywords publish --dictionary dictionary
    """
    from scorers.keywords.commands import publish_command, take_back_command

    if none and dictionary:
        raise typer.BadParameter("give either --dictionary or --none")
    if none:
        take_back_command()
    else:
        publish_command(dictionary)


@app.command("evaluate")
def evaluate(
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/keywords.json"),
    texts: Annotated[int, typer.Option(min=500, help="Raw keywords of each corpus")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the corpora")] = 1,
) -> None:
    """Judge the cleaner against known truth: pairs, B-cubed, hard negatives, what each step adds.

    Example: keypulse keywords evaluate --texts 40000 --out reports/keywords.json
    """
    from scorers.keywords.judgement.report import evaluate_command

    evaluate_command(seed, texts, out)


@app.command("explain")
def explain(
    text: Annotated[str, typer.Argument(help="A keyword as typed")],
    dictionary: Dictionary = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output")] = False,
) -> None:
    """Show each step that leads from a text to its keyword.

    Example: keypulse keywords explain "hedphones wirless"
    """
    from scorers.keywords.commands import explain_command

    explain_command(text, dictionary, as_json)
