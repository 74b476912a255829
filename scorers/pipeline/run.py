"""`keypulse pipeline`: a market's tables, its dictionary, counts under it, towers, index and rankers, and the gate."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from infra.exclusive import exclusive
from infra.settings import Settings, load
from scorers.pipeline.markets import MARKETS, Market
from scorers.pipeline.stages import Stages

HISTORY, TOWERS, DICTIONARY = "history", Path("models") / "towers", Path("models") / "dictionary"
PROMOTED = "promoted.json"
"""The market that a promoted bundle learnt from."""


class Pipeline:
    """One run, in a home of its own that is emptied first."""

    def __init__(
        self, market: Market, towers: str, trials: int, catalogue: Path | None, home: Path, console: Console
    ) -> None:
        self._market, self._towers, self._trials, self._catalogue = market, towers, trials, catalogue
        self._home = home.absolute()
        self._stages = Stages(self._home, console)

    def run(self) -> dict[str, Any]:
        """Run every step; what was made, and how long each took.

        Raises:
            Failure: a server or a step failed, the gate among them; the text says which and why.
        """
        with self._stages.servers() as settings:
            self._stages.commands(settings, self._before_towers())
            towers = str(self._home / TOWERS)
            self._stages.commands(settings.model_copy(update={"embedding_model": towers}), self._with_towers())
            made = self._report(settings)
            (self._home / PROMOTED).write_text(json.dumps(asdict(self._market)))
            return made

    def _before_towers(self) -> dict[str, list[str]]:
        history, tables = self._home / HISTORY, self._home / "tables"
        return {
            "topics": ["topics", "create"],
            "market and history": self._market.history(history),
            "tables": ["data", "import", "events", str(history), f"--out={tables}"],
            "tables checked": ["data", "check", str(tables)],
            "keyword dictionary": ["keywords", "clean", str(history), f"--out={self._home / DICTIONARY}"],
            "dictionary published": ["keywords", "publish"],
            "backfill": ["backfill", f"--history={history}"],
            "towers": ["train", "towers", f"--history={history}", f"--towers={self._towers}"],
        }

    def _with_towers(self) -> dict[str, list[str]]:
        history = f"--history={self._home / HISTORY}"
        words = [f"--catalogue={self._catalogue.absolute()}"] if self._catalogue else []
        return {
            "keyword index": ["index", "build", history],
            "ranker": ["train", "ranker", history, f"--trials={self._trials}", "--challenger"],
            "promotion": ["promote", history, *words],
        }

    def _report(self, settings: Settings) -> dict[str, Any]:
        history = self._home / HISTORY
        rows = {name: _rows(history / f"{name}.parquet") for name in ("search", "impression", "click", "purchase")}
        manifest = json.loads((settings.bundle_path / "manifest.json").read_text())
        return {
            "market": {"events": rows, "items": self._market.products, "keywords": self._market.keywords},
            "towers": json.loads((self._home / TOWERS / "training.json").read_text()),
            "bundle": {"folder": str(settings.bundle_path), "model_version": manifest["model_version"]},
            "seconds": {name: round(seconds, 1) for name, seconds in self._stages.seconds.items()},
        }


def pipeline_home(settings: Settings) -> Path:
    """Where the pipeline works, and what it made stays."""
    return settings.home / "pipeline"


def promoted(market: Market, home: Path) -> Path | None:
    """The home of the pipeline's last run, if that promoted a bundle learnt from this very market; else None."""
    try:
        learnt_from = Market(**json.loads((home / PROMOTED).read_text()))
    except FileNotFoundError:
        return None
    return home.absolute() if learnt_from == market else None


def pipeline_command(market: str, towers: str, trials: int, catalogue: Path | None, out: Path) -> None:
    """Run the pipeline, print its summary and write the report."""
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = pipeline_home(load())
    with exclusive(home):
        made = Pipeline(MARKETS[market], towers, trials, catalogue, home, console).run()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=2) + "\n")
    _show(console, market, made)
    console.print(f"{out} written; `keypulse demo` now uses this bundle")


def _show(console: Console, market: str, made: dict[str, Any]) -> None:
    table = Table(title=f"Keypulse pipeline, market {market}", show_header=False)
    of_market = made["market"]
    counted = ", ".join(f"{count:,} {name}" for name, count in of_market["events"].items())
    table.add_row("market", f"{of_market['items']:,} items, {of_market['keywords']:,} keywords; {counted} events")
    epochs = made["towers"]["epochs"]
    table.add_row(
        "towers",
        f"recall@100 of later clicks {epochs[0]['recall_at_100']:.3f} untrained, "
        f"{made['towers']['serving']['recall_at_100']:.3f} trained and exported",
    )
    table.add_row("bundle", f"{made['bundle']['model_version']} promoted, in {made['bundle']['folder']}")
    seconds = made["seconds"]
    table.add_row("seconds", ", ".join(f"{name} {took:.0f}" for name, took in seconds.items()))
    table.add_row("in all", f"{sum(seconds.values()) / 60:.1f} minutes")
    console.print(table)


def _rows(table: Path) -> int:
    return int(pq.read_metadata(table).num_rows)
