"""`keypulse retrieval evaluate`: every retriever by the simulator's truth and on real text, as JSON and a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from infra.settings import Settings
from infra.steps import Steps
from scorers.history import History
from scorers.retrieval.judging.compared import compared
from scorers.retrieval.judging.market import DEPTHS
from scorers.retrieval.judging.real_text import real_text
from scorers.retrieval.judging.report import (
    Contribution,
    OnMarket,
    OnRealText,
    Rows,
    known_to_each,
    on_market,
    on_real_text,
)
from scorers.training.split import held_out_from
from streams.canonical import home_forms


class Report(msgspec.Struct, frozen=True):
    """Everything."""

    encoders: dict[str, str]
    market: OnMarket
    real_text: OnRealText | None


def evaluate(folder: Path, catalogue: Path | None, settings: Settings, steps: Steps) -> Report:
    """Judge the untuned model, the trained towers if there are any, and everything else.

    Raises:
        BadHistory, NoTruth: the history cannot be used.
        WrongCatalogue: the catalogue cannot.
    """
    with steps.step("encoders"):
        encoders = compared(settings)
    history = History(folder, home_forms(settings))
    until = held_out_from(*history.span, settings)
    known = known_to_each(history, encoders, settings, steps)
    market = on_market(history, until, encoders, known, settings, steps, fields=True)
    real = None
    if catalogue:
        with steps.step("real text"):
            real = on_real_text(real_text(catalogue), encoders, settings, fields=True)
    return Report({name: encoder.name for name, encoder in encoders.items()}, market, real)


def evaluate_command(history: Path, catalogue: Path | None, out: Path) -> None:
    """`keypulse retrieval evaluate`."""
    from infra.stack.state import settings

    report = evaluate(history, catalogue, settings(), Steps())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    console = Console()
    if report.real_text:
        title = f"Real text: {report.real_text.products} products, {report.real_text.keywords} keywords"
        console.print(_table(title, report.real_text.rows))
    market = report.market
    title = f"Market: {market.items} held-out items, {market.keywords} keywords; share of the true best 50 found"
    console.print(_table(title, market.rows))
    console.print(_contributions_table("What the fused list owes to each source", market.contributions))
    console.print(f"{out} written")


def _table(title: str, rows: Rows) -> Table:
    table = Table("", *next(iter(rows.values())), title=title)
    for name, measures in rows.items():
        table.add_row(name, *(f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in measures.values()))
    return table


def _contributions_table(title: str, contributions: Mapping[str, Contribution]) -> Table:
    table = Table("without", f"recall@{DEPTHS[-1]}", "lost", title=title)
    for name, one in contributions.items():
        lost = one.lost
        table.add_row(name, f"{one.recall_without.mean:.3f}", f"{lost.mean:+.3f} [{lost.low:+.3f}, {lost.high:+.3f}]")
    return table
