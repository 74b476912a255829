"""Raw keywords, from a table or from a history: each text once, how often it is typed and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.settings import DAY_MS
from scorers.data.reading import read
from scorers.data.schemas import KEYWORDS, PRODUCTS
from scorers.history import History
from scorers.keywords.dictionary import RAW
from scorers.keywords.table import SHOPPER_DAYS


@dataclass(frozen=True)
class RawKeywords:
    """What a dictionary is built from."""

    table: pl.DataFrame
    """Columns `scorers.keywords.dictionary.RAW`."""
    searches: pl.DataFrame | None = None
    """text, shopper of the last `SHOPPER_DAYS`, where there is a log of searches."""
    names: tuple[str, ...] = ()
    """Brands."""


def read_raw_keywords(path: Path) -> RawKeywords:
    """From a table (`keyword`; `searches`, `shoppers`, `typed_by` help) or a history folder.

    Raises:
        BadTable, BadHistory: it cannot be used.
    """
    return from_history(History(path)) if path.is_dir() else RawKeywords(from_table(read(path, KEYWORDS).frame))


def from_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Raw keywords of a table with the columns of `scorers.data.schemas.KEYWORDS`; rows without a keyword left out.

    A text that comes twice has the sum of its searches and the most shoppers of one row.
    """
    given = set(rows.columns)
    return (
        rows.filter(pl.col("keyword").is_not_null())
        .group_by(pl.col("keyword").alias("text"))
        .agg(
            (pl.col("searches").sum() if "searches" in given else pl.len()).cast(pl.Int64).alias("volume"),
            (pl.col("shoppers").max() if "shoppers" in given else pl.lit(None)).cast(pl.Int64).alias("shoppers"),
            ((pl.col("typed_by") == "sellers").all() if "typed_by" in given else pl.lit(False)).alias("sellers_only"),
        )
        .select(*RAW)
        .sort("text")
    )


def from_history(history: History) -> RawKeywords:
    """All searches of a history, the keywords of its campaigns, and the brands of its products.

    Raises:
        BadHistory: it cannot be used.
    """
    searches = history.searches.select(pl.col("query").alias("text"), "shopper", "event_time")
    searched = searches.group_by("text").agg(
        pl.len().cast(pl.Int64).alias("volume"), pl.col("shopper").n_unique().cast(pl.Int64).alias("shoppers")
    )
    sellers = sorted({keyword.text for campaign in history.campaigns for keyword in campaign.keywords})
    own = pl.DataFrame({"text": sellers}, schema={"text": pl.String}).join(searched, on="text", how="anti")
    table = pl.concat(
        [
            searched.with_columns(sellers_only=pl.lit(False)),
            own.with_columns(volume=pl.lit(0, pl.Int64), shoppers=pl.lit(0, pl.Int64), sellers_only=pl.lit(True)),
        ]
    )
    since = (searches.get_column("event_time").max() or 0) - SHOPPER_DAYS * DAY_MS  # type: ignore[operator]
    recent = searches.filter(pl.col("event_time") > since).select("text", "shopper")
    brands = sorted({product.brand for product in history.products if product.brand})
    return RawKeywords(table.select(*RAW).sort("text"), recent, tuple(brands))


def read_names(path: Path) -> tuple[str, ...]:
    """The brands of a table of products.

    Raises:
        BadTable: it cannot be used, or has no column `brand`.
    """
    frame = read(path, PRODUCTS, required=["brand"]).frame
    return tuple(sorted(frame.get_column("brand").drop_nulls().unique()))
