"""What history tells: how often a keyword is searched, which products were clicked and bought after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.settings import Settings
from scorers.data import daily
from scorers.data.reading import BadTable, find, read, read_raw
from scorers.data.schemas import CAMPAIGN_HISTORY, PRODUCTS, SEARCHES, Table
from scorers.history import History
from scorers.keywords.table import canonical_column
from scorers.suggest.tables import read_products
from streams.messages import ProductState

_PURCHASE_WORTH = 10.0
"""Clicks that a purchase weighs as much as: about one click in ten leads to one, and it says that much more."""


@dataclass(frozen=True)
class Evidence:
    """What a history tells."""

    pairs: pl.DataFrame
    """product_id, canonical, strength: clicks, and purchases at the weight of several."""
    searches: dict[str, int]
    """By canonical keyword; empty when the history counts none."""
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
        table = SEARCHES if {"clicked", "purchased"} & set(columns) else CAMPAIGN_HISTORY
        return _evidence(read(path, table).frame, table)
    if (path / "impression.parquet").exists():
        history = History(path)
        return _evidence(daily.searches(history, settings), SEARCHES, history.products)
    described = find(path, PRODUCTS)
    products = read_products(described) if described else []
    for table in (SEARCHES, CAMPAIGN_HISTORY):
        if file := find(path, table):
            return _evidence(read(file, table).frame, table, products)
    raise BadTable(f"{path}: holds neither searches nor campaign_history (as .parquet or .csv), nor an event history")


def _evidence(frame: pl.DataFrame, table: Table, products: Sequence[ProductState] = ()) -> Evidence:
    frame = canonical_column(frame.drop_nulls("keyword"), "keyword")
    if table is CAMPAIGN_HISTORY:
        strength = pl.col("clicks").fill_null(0) + _PURCHASE_WORTH * pl.col("purchases").fill_null(0)
        return Evidence(_summed(frame.select("product_id", "canonical", strength=strength)), {}, products)
    listed = [(name, weight) for name, weight in (("clicked", 1.0), ("purchased", _PURCHASE_WORTH)) if name in frame]
    parts = [
        frame.select("canonical", product_id=pl.col(name)).explode("product_id").with_columns(strength=pl.lit(weight))
        for name, weight in listed
    ]
    nothing = pl.DataFrame(schema={"canonical": pl.String, "product_id": pl.String, "strength": pl.Float64})
    counts = pl.col("searches").fill_null(1) if "searches" in frame.columns else pl.lit(1)
    searched = frame.group_by("canonical").agg(counts.sum().alias("searches"))
    return Evidence(_summed(pl.concat([nothing, *parts])), dict(searched.iter_rows()), products)


def _summed(pairs: pl.DataFrame) -> pl.DataFrame:
    return (
        pairs.drop_nulls()
        .group_by("product_id", "canonical")
        .agg(pl.col("strength").sum().cast(pl.Float64))
        .filter(pl.col("strength") > 0)
        .sort("product_id", "canonical")
    )
