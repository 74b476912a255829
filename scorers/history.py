"""A history folder as models learn from it: each event once, products and campaigns decoded, purchases attributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from infra.settings import DAY_MS
from scorers.keywords.table import canonical_column
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.events import EventName
from streams.contracts.messages import CampaignState, ProductState
from streams.history import BadHistory

_MAY_BE_NULL = {"campaign"}
"""Columns of events: what no campaign promoted is organic."""

State = TypeVar("State", CampaignState, ProductState)


@dataclass(frozen=True)
class History:
    """One history folder (`keypulse simulate history` writes one). Everything is read when first asked for."""

    folder: Path
    canonical: CanonicalForms = NORMAL
    """What its keywords count under."""

    @cached_property
    def searches(self) -> pl.DataFrame:
        """Columns of `streams.contracts.events.Search` but for the results."""
        return self.events("search", ["event_time", "shopper", "query", "category"])

    @cached_property
    def typed(self) -> pl.DataFrame:
        """What was typed in each search, once: search_id, query and its `canonical` form."""
        return canonical_column(
            self.events("search", ["search_id", "query"]).unique("search_id"), "query", self.canonical
        )

    @cached_property
    def impressions(self) -> pl.DataFrame:
        """Impressions with the keyword's `canonical` form."""
        columns = ["event_time", "item", "category", "campaign", "keyword", "position", "search_id", "shuffled"]
        return canonical_column(self.events("impression", columns), "keyword", self.canonical)

    @cached_property
    def clicks(self) -> pl.DataFrame:
        """Clicks with the keyword's `canonical` form."""
        columns = ["event_id", "event_time", "shopper", "item", "campaign", "keyword", "search_id"]
        return canonical_column(self.events("click", columns), "keyword", self.canonical)

    @cached_property
    def purchases(self) -> pl.DataFrame:
        """Purchases: event id, time, shopper, item."""
        return self.events("purchase", ["event_id", "event_time", "shopper", "item"])

    @cached_property
    def products(self) -> list[ProductState]:
        """As of the end of the history."""
        return self._states("products.jsonl", ProductState)

    @cached_property
    def campaigns(self) -> list[CampaignState]:
        """As of the end of the history; `starts_at` is the campaign's creation."""
        return self._states("campaigns.jsonl", CampaignState)

    @cached_property
    def span(self) -> tuple[int, int]:
        """Times (ms) of the first and the last impression.

        Raises:
            BadHistory: there is none.
        """
        times = self.impressions.get_column("event_time")
        if not len(times):
            raise BadHistory(
                f"{self.folder / 'impression.parquet'} holds no impression: there is nothing to learn from"
            )
        return int(times.min()), int(times.max())  # type: ignore[arg-type]

    @property
    def days(self) -> float:
        """Length of the history."""
        first, last = self.span
        return (last - first) / DAY_MS

    def events(self, name: EventName, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the events of one type, each id once (the copy that arrived first).

        Raises:
            BadHistory: the file is missing, unreadable, or lacks a column or a value.
        """
        path = self.folder / f"{name}.parquet"
        wanted = list(dict.fromkeys(["event_id", *columns]))
        try:
            scan = pl.scan_parquet(path)
            present = scan.collect_schema().names()
            if missing := [column for column in wanted if column not in present]:
                raise BadHistory(
                    f"{path}: column {missing[0]} is missing; each row is one {name} event, see docs/contracts"
                )
            frame = scan.select(wanted).collect()
        except FileNotFoundError:
            raise BadHistory(f"{path} is missing; `keypulse simulate history` writes such a folder") from None
        except (pl.exceptions.PolarsError, OSError) as error:
            raise BadHistory(f"{path} is not a Parquet file that can be read: {error}") from None
        for column in wanted:
            if column not in _MAY_BE_NULL and (nulls := frame[column].null_count()):
                raise BadHistory(
                    f"{path}: column {column} has no value in {nulls:,} of {len(frame):,} rows; give each {name} event "
                    "its own, or leave the event out"
                )
        return frame.unique("event_id", keep="first", maintain_order=True).select(columns)

    def _states(self, name: str, state: type[State]) -> list[State]:
        path = self.folder / name
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            raise BadHistory(f"{path} is missing; one {state.__name__} as JSON a line is expected") from None
        except OSError as error:
            raise BadHistory(f"{path} cannot be read: {error}") from None
        decoder = msgspec.json.Decoder(state)
        states = []
        for number, line in enumerate(lines, start=1):
            try:
                states.append(decoder.decode(line))
            except msgspec.MsgspecError as error:
                raise BadHistory(f"{path}, line {number}: {error}") from None
        return states


def attributed(clicks: pl.DataFrame, purchases: pl.DataFrame, window_ms: int) -> pl.DataFrame:
    """The click of each attributed purchase: columns of `clicks`, `purchased_at`, any others of `purchases`; a row a
    purchase.

    A purchase belongs to the shopper's last click on the item, by (time, event id), that is not later and at most
    `window_ms` older (`streams.attribution` does the same live).
    """
    bought = purchases.rename({"event_id": "purchase", "event_time": "purchased_at"})
    age = pl.col("purchased_at") - pl.col("event_time")
    return (
        bought.join(clicks, on=["shopper", "item"])
        .filter((age >= 0) & (age <= window_ms))
        .sort("event_time", "event_id")
        .unique("purchase", keep="last")
        .drop("purchase")
    )


def pair_counts(clicks: pl.DataFrame, bought: pl.DataFrame) -> pl.DataFrame:
    """Clicks and attributed purchases per item and canonical keyword: item, canonical, clicks, purchases."""
    key = ["item", "canonical"]
    counted = clicks.group_by(key).agg(pl.len().cast(pl.Int64).alias("clicks"))
    purchased = bought.group_by(key).agg(pl.len().cast(pl.Int64).alias("purchases"))
    return counted.join(purchased, on=key, how="full", coalesce=True).fill_null(0).sort(key)
