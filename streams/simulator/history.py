"""A market's past, straight to Parquet: what the shoppers did, in the order in which a log would hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from streams.contracts.events import EventName
from streams.simulator.arrivals import Arrivals
from streams.simulator.columns import Columns, Numbering, columns, take
from streams.simulator.market import Market
from streams.simulator.pages import Pages, search, show
from streams.simulator.purchases import LIVE_HASTE
from streams.simulator.schedule import schedule
from streams.simulator.tables import Tables

_SEARCHES_AT_ONCE = 40_000
EVENT_NAMES: tuple[EventName, ...] = ("search", "impression", "click", "purchase")
_PLAIN = frozenset({"event_id", "event_time", "search_id", "click_id", "order_id"})
"""Columns of mostly different values, which a Parquet dictionary would only slow down."""


@dataclass(frozen=True)
class Written:
    """What `write_history` wrote: rows per topic, and how many of them are second copies, late and too late."""

    rows: dict[EventName, int]
    duplicate: int
    late: int
    too_late: int

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def write_history(
    market: Market,
    folder: Path,
    horizon_ms: int,
    currency: str = "USD",
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write search, impression, click and purchase.parquet into `folder`; `progress` is told the searches done.

    Events later than the plan's `until_ms` have not happened yet and are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    until = market.plan.until_ms
    tables = Tables(market, f"h{market.plan.seed}", currency)
    arrivals = {name: Arrivals(market.rng(f"arrivals {name}"), horizon_ms) for name in EVENT_NAMES}
    writers: dict[EventName, pq.ParquetWriter] = {}
    rows = dict.fromkeys(EVENT_NAMES, 0)

    def write(name: EventName, arrived: Columns) -> None:
        table = tables.table(name, arrived)
        if name not in writers:
            coded = [column for column in table.column_names if column not in _PLAIN]
            writers[name] = pq.ParquetWriter(
                folder / f"{name}.parquet", table.schema, use_dictionary=coded, store_schema=False, compression="lz4"
            )
        writers[name].write_table(table)
        rows[name] += len(table)

    numbering = Numbering()
    for ends, pages in happened(market):
        for name, events in columns(market, pages, numbering).items():
            arrivals[name].add(take(events, events["event_time"] <= until))
            write(name, arrivals[name].until(ends))
        if progress:
            progress(len(pages.searches))
    for name in EVENT_NAMES:
        write(name, arrivals[name].until(None))
        writers[name].close()
    late = {what: sum(arrival.counts[what] for arrival in arrivals.values()) for what in arrivals["search"].counts}
    return Written(rows, **late)


def happened(market: Market) -> Iterator[tuple[int, Pages]]:
    """The history in pieces: (end of the piece in ms, its pages). Whole slots of its schedule, in order of time."""
    rng = market.rng("history")
    slots = schedule(rng, market)
    times, concepts, waiting = [], [], 0
    for slot, count in enumerate(slots.searches.tolist()):
        asked = rng.multinomial(count, slots.shares[slot])
        times.append(np.sort(rng.integers(slots.begins[slot], slots.ends[slot], count)))
        concepts.append(rng.permutation(np.repeat(np.arange(len(asked)), asked)))
        waiting += count
        if waiting >= _SEARCHES_AT_ONCE or slot == len(slots) - 1:
            searches = search(rng, market, np.concatenate(times), np.concatenate(concepts))
            warm = searches.time >= market.plan.warm_up_from_ms
            yield int(slots.ends[slot]), show(rng, market, searches, np.where(warm, LIVE_HASTE, 1.0))
            times, concepts, waiting = [], [], 0


def events_per_search(market: Market) -> float:
    """How many events one search leads to, the search itself among them; from a sample."""
    rng = market.rng("pilot")
    count = 4_000
    at = np.sort(rng.integers(market.plan.start_ms, market.plan.until_ms, count))
    concept = rng.choice(len(market.concepts), count, p=market.concepts.weight)
    pages = show(rng, market, search(rng, market, at, concept))
    shown = len(pages.impressions.item) + len(pages.clicks.item) + len(pages.purchases.item)
    return 1 + shown / count
