"""What history tells: how often a keyword is searched, which products were clicked and bought after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.settings import Settings
from scorers.data import daily
from scorers.data.products import read_products
from scorers.data.reading import BadTable, find, read, read_raw
from scorers.data.schemas import CAMPAIGN_HISTORY, PRODUCTS, SEARCHES
from scorers.history import History
from scorers.suggest.keywords import NOBODY_SEARCHED
from streams.contracts.messages import ProductState

_PURCHASE_WORTH = 10.0
"""Clicks that a purchase weighs as much as: about one click in ten leads to one, and it says that much more."""


@dataclass(frozen=True)
class Evidence:
    """What a history tells, by the texts that were typed or chosen."""

    pairs: pl.DataFrame
    """product_id, text, strength: clicks, and purchases at the weight of several; a row each that was seen."""
    searches: pl.DataFrame
    """text, searches; empty when the history counts none."""
    products: Sequence[ProductState] = ()
    """Those that the history itself describes."""


def read_evidence(path: Path, settings: Settings) -> Evidence:
    """From a folder of tables, an event history, or one file of searches or of campaign history.

    Searches tell more than campaign history, since they name what was typed; they are taken where both are there.

    Raises:
        BadTable: nothing of the kind is there, or it cannot be used.
        BadHistory: an event history cannot be used.
    """
    if path.is_file():
        columns = read_raw(path).columns
        return _from_searches(path) if {"clicked", "purchased"} & set(columns) else _from_campaigns(path)
    if (path / "impression.parquet").exists():
        history = History(path)
        return _of_searches(daily.searches(history, settings), history.products)
    described = find(path, PRODUCTS)
    products = read_products(described) if described else []
    if searches := find(path, SEARCHES):
        return _from_searches(searches, products)
    if campaigns := find(path, CAMPAIGN_HISTORY):
        return _from_campaigns(campaigns, products)
    raise BadTable(f"{path}: holds neither searches nor campaign_history (as .parquet or .csv), nor an event history")


def _from_campaigns(path: Path, products: Sequence[ProductState] = ()) -> Evidence:
    rows = read(path, CAMPAIGN_HISTORY).frame
    strength = pl.col("clicks").fill_null(0) + _PURCHASE_WORTH * pl.col("purchases").fill_null(0)
    pairs = rows.select("product_id", text="keyword", strength=strength).drop_nulls().filter(pl.col("strength") > 0)
    return Evidence(pairs, NOBODY_SEARCHED, products)


def _from_searches(path: Path, products: Sequence[ProductState] = ()) -> Evidence:
    return _of_searches(read(path, SEARCHES).frame, products)


def _of_searches(rows: pl.DataFrame, products: Sequence[ProductState]) -> Evidence:
    rows = rows.drop_nulls("keyword").rename({"keyword": "text"})
    parts = [
        rows.select(product_id=pl.col(name), text="text").explode("product_id").with_columns(strength=pl.lit(weight))
        for name, weight in (("clicked", 1.0), ("purchased", _PURCHASE_WORTH))
        if name in rows.columns
    ]
    nothing = pl.DataFrame(schema={"product_id": pl.String, "text": pl.String, "strength": pl.Float64})
    times = pl.col("searches").fill_null(1) if "searches" in rows.columns else pl.lit(1, pl.Int64)
    searches = rows.select("text", searches=times).group_by("text").agg(pl.col("searches").sum())
    return Evidence(pl.concat([nothing, *parts]).drop_nulls(), searches, products)
