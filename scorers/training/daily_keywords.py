"""The keyword table of tables by day, as `scorers.keywords.table` makes it of single events."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from infra.settings import DAY_MS
from scorers.keywords.table import Keyword
from streams.contracts.events import UNKNOWN_CATEGORY
from streams.normal_form import EMPTY

_EPOCH = date(1970, 1, 1)


def daily_keyword_table(
    searched: pl.DataFrame, typed: pl.DataFrame, listed: pl.DataFrame, min_distinct_shoppers: int
) -> list[Keyword]:
    """All keywords, by canonical form. Distinct shoppers of several texts or days cannot be added up: the most that any
    one row tells is taken, which withholds too much rather than too little.

    Args:
        searched: day, text, canonical, category, searches, shoppers (null: not told).
        typed: text, canonical, category, seller (null: not told), of sellers' campaigns.
        listed: text, canonical, shoppers (null: not told), of the owner's list of keywords.
        min_distinct_shoppers: keywords that fewer typed are withheld; 0 for texts that their owner has cleared.
    """
    newest = searched.with_columns(newest=pl.col("day") == pl.col("day").max())
    volumes = newest.group_by("canonical").agg(
        volume=pl.col("searches").sum(),
        volume_last_day=pl.col("searches").filter("newest").sum(),
        first_day=pl.col("day").min(),
        told=pl.col("shoppers").max(),
    )
    owners = listed.group_by("canonical").agg(told_by_owner=pl.col("shoppers").max())
    unsearched = [frame.with_columns(searches=pl.lit(0, pl.Int64)) for frame in (listed, typed)]
    texts = _most([searched, *unsearched], "text")
    categories = _most([searched, *unsearched[1:]], "category").filter(pl.col("category") != UNKNOWN_CATEGORY)
    named = typed.drop_nulls("seller")
    rivals = named.group_by("canonical").agg(rivals=pl.col("seller").n_unique().cast(pl.Int64))
    sellers = named.group_by("canonical", "text").agg(sellers=pl.col("seller").unique().sort())
    table = texts.filter(pl.col("canonical") != EMPTY).join(sellers, on=["canonical", "text"], how="left")
    for part in (volumes, owners, categories, rivals):
        table = table.join(part, on="canonical", how="left")
    return [_keyword(row, min_distinct_shoppers) for row in table.sort("canonical").iter_rows(named=True)]


def _most(frames: list[pl.DataFrame], column: str) -> pl.DataFrame:
    """Per canonical form the value of `column` with most searches; of equals the first in the alphabet."""
    return (
        pl.concat(frame.select("canonical", column, "searches") for frame in frames)
        .group_by("canonical", column)
        .agg(pl.col("searches").sum())
        .sort(["canonical", "searches", column], descending=[False, True, False])
        .group_by("canonical", maintain_order=True)
        .agg(pl.col(column).first())
    )


def _keyword(row: dict[str, Any], min_distinct_shoppers: int) -> Keyword:
    volume = row["volume"] or 0
    # Who searched it was one shopper at least.
    shoppers = max(row["told"] or 0, row["told_by_owner"] or 0, int(volume > 0))
    return Keyword(
        canonical=row["canonical"],
        text=row["text"],
        category=row["category"] or UNKNOWN_CATEGORY,
        volume=volume,
        volume_last_day=row["volume_last_day"] or 0,
        shoppers=shoppers,
        withheld=shoppers < min_distinct_shoppers,
        sellers=row["sellers"] or [],
        rivals=row["rivals"] or 0,
        first_searched_at=(row["first_day"] - _EPOCH).days * DAY_MS if row["first_day"] else 0,
    )
