"""A market in a folder: its plan (and catalogue), from which it is built again to the bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from infra.failure import Failure
from streams.simulator.market import Market, Plan, build
from streams.simulator.own_catalogue import read_catalogue

FILE = "market.json"


class MarketMissing(Failure):
    """The folder holds no market, or not all of it."""

    exit_code = 2

    def __init__(self, folder: Path, file: str) -> None:
        super().__init__(f"{folder} has no {file}; make a market there: keypulse simulate history --out {folder}")


def make(plan: Plan, catalogue_file: Path | None = None, progress: Callable[[str], None] | None = None) -> Market:
    """Build the plan's market, around a catalogue file if one is given."""
    if catalogue_file is None:
        return build(plan, None, progress)
    return build(plan, read_catalogue(catalogue_file, plan.seed, plan.start_ms, plan.until_ms), progress)


def save(market: Market, folder: Path, catalogue_file: Path | None = None) -> None:
    """Write the plan, and a copy of the catalogue, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = None
    if catalogue_file:
        copied = f"catalogue{catalogue_file.suffix.lower()}"
        if catalogue_file.resolve() != (folder / copied).resolve():
            shutil.copyfile(catalogue_file, folder / copied)
    (folder / FILE).write_text(json.dumps({**asdict(market.plan), "catalogue": copied}, indent=2) + "\n")


def load(folder: Path) -> Market:
    """The market of `folder`. Raises `MarketMissing`."""
    if not (folder / FILE).exists():
        raise MarketMissing(folder, FILE)
    plan = json.loads((folder / FILE).read_text())
    catalogue = plan.pop("catalogue")
    return make(Plan(**plan), folder / catalogue if catalogue else None)
