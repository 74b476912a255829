"""Markets and their histories, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.settings import DAY_MS, HOUR_MS
from streams.simulator.catalogue import Catalogue
from streams.simulator.history import Written, events_per_search, write_history
from streams.simulator.market import Market, Plan, build, with_searches

UNTIL_MS = 1_790_000_000_000
HORIZON_MS = HOUR_MS


def make_market(
    seed: int, events: int = 60_000, days: float = 4.0, catalogue: Catalogue | None = None, **sizes: int
) -> Market:
    """A market whose history holds about so many events; sizes are the plan's defaults unless given."""
    start = UNTIL_MS - int(days * DAY_MS)
    market = build(Plan(seed=seed, start_ms=start, until_ms=UNTIL_MS, searches=events // 8, **sizes), catalogue)
    return with_searches(market, round(events / events_per_search(market)))


@dataclass(frozen=True)
class Past:
    """A market's history as it was written."""

    market: Market
    folder: Path
    written: Written

    def read(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")


def make_past(market: Market, folder: Path) -> Past:
    return Past(market, folder, write_history(market, folder, HORIZON_MS))
