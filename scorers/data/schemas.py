"""The tables that Keypulse takes from anyone, column by column: the one place. `docs/data.md` is printed from it.

A table is one file, `NAME.parquet` or `NAME.csv`. Columns that no schema names are left alone. Money is in currency
units (19.99), a day is a date in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Kind = Literal["text", "count", "number", "share", "day", "ids", "object"]
"""What a column holds: free text; a whole number from 0 on; any number from 0 on; a number from 0 to 1; a date; product
ids; key-values."""

IN_PARQUET: dict[Kind, pl.DataType] = {
    "text": pl.String(),
    "count": pl.Int64(),
    "number": pl.Float64(),
    "share": pl.Float64(),
    "day": pl.Date(),
    "ids": pl.List(pl.String),
    "object": pl.String(),
}
"""How a column is read."""

IN_WORDS: dict[Kind, str] = {
    "text": "text",
    "count": "whole number, at least 0",
    "number": "number, at least 0",
    "share": "number from 0 to 1",
    "day": "date, `2026-03-31`",
    "ids": "list of product ids; in a CSV divided by `|`",
    "object": 'JSON object, `{"color": "red"}`',
}
IDS_DIVIDER = "|"


@dataclass(frozen=True)
class Column:
    """One column. A required one must be there and be filled in every row."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    filled: bool = True
    """Of a required column: whether each row must have a value."""
    longest: int | None = None
    """Most characters of a text."""
    refers_to: tuple[str, str] | None = None
    """Table and column that must hold each of its values, if that table is there."""


@dataclass(frozen=True)
class Table:
    """One table."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Columns that together name a row; those that are missing don't count."""
    at_most: dict[str, str] = field(default_factory=dict)
    """Column to the column that it never exceeds."""

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def required(self) -> list[str]:
        """Names of the columns that must be there."""
        return [column.name for column in self.columns if column.required]


_PRODUCT = ("products", "product_id")

PRODUCTS = Table(
    "products",
    "One row a product.",
    (
        Column("product_id", "text", "the product's id", required=True, longest=200),
        Column("title", "text", "as shoppers see it; HTML is taken out", required=True, longest=10_000),
        Column("category", "text", "the category that counts are kept by, usually the leaf", longest=200),
        Column("category_path", "text", "from the root to the leaf, `Home > Lamps > Desk lamps`", longest=1_000),
        Column("brand", "text", "as shoppers know it", longest=200),
        Column("price", "number", "in currency units"),
        Column("shipping", "number", "its cost, in currency units; 0 is free"),
        Column("condition", "text", "`new`, `used`, ...", longest=64),
        Column("specification", "object", "attributes by name"),
        Column("seller", "text", "id of who sells it", longest=200),
        Column("items_in_category", "count", "products on offer in its category"),
        Column("clicks_7d", "count", "clicks on it in the last 7 days"),
        Column("purchases_7d", "count", "purchases of it in the last 7 days"),
        Column("clicks_30d", "count", "clicks on it in the last 30 days"),
        Column("purchases_30d", "count", "purchases of it in the last 30 days"),
    ),
    key=("product_id",),
)

KEYWORDS = Table(
    "keywords",
    "One row a keyword that may be suggested, as shoppers type it.",
    (
        Column("keyword", "text", "as typed", required=True, longest=200),
        Column("searches", "count", "how often it was searched"),
        Column("shoppers", "count", "distinct shoppers who searched it in the last 30 days"),
        Column("typed_by", "text", "`shoppers` or `sellers`: what only sellers typed is suggested to no other seller"),
        Column("category", "text", "in which most of its searches were made", longest=200),
    ),
    key=("keyword",),
)

CAMPAIGN_HISTORY = Table(
    "campaign_history",
    "One row for each campaign, product, keyword and day with an impression. An impression counts under its own day, "
    "and so do its click and what was bought after it, so that clicks out of impressions and conversions out of clicks "
    "are binomial counts. A row may as well be of one place on the page, or, from an event log, a single impression, "
    "told apart by `search_id`.",
    (
        Column("day", "day", "when the impressions were", required=True),
        Column(
            "campaign", "text", "the campaign's id; empty for organic results", required=True, filled=False, longest=200
        ),
        Column("product_id", "text", "the product shown", required=True, longest=200, refers_to=_PRODUCT),
        Column(
            "keyword",
            "text",
            "the campaign's keyword that matched; of organic results the search",
            required=True,
            longest=200,
        ),
        Column("impressions", "count", "how often it was shown", required=True),
        Column("clicks", "count", "impressions that were clicked", required=True),
        Column("conversions", "count", "clicks after which the product was bought"),
        Column("purchases", "count", "orders attributed to those clicks", required=True),
        Column("units", "count", "pieces in those orders"),
        Column("revenue", "number", "of those orders, in currency units"),
        Column("position", "number", "place on the page, 1 is the top; the mean, if a row is not of one place"),
        Column("category", "text", "the product's category", longest=200),
        Column("seller", "text", "whose campaign it is", longest=200),
        Column("ad_rate", "share", "share of the sale paid for promotion"),
        Column("bid", "number", "the campaign's bid for a click on the keyword, in currency units"),
        Column("campaign_created", "day", "when the campaign was created"),
        Column("search_id", "text", "the page of results, where a row is one impression", longest=200),
        Column("time", "count", "ms since 1970, where a row is one impression"),
    ),
    key=("day", "campaign", "product_id", "keyword", "position", "search_id"),
    at_most={"clicks": "impressions", "conversions": "clicks", "campaign_created": "day"},
)

SEARCHES = Table(
    "searches",
    "One row for each keyword, day and category.",
    (
        Column("keyword", "text", "as typed", required=True, longest=200),
        Column("day", "day", "when"),
        Column("category", "text", "in which it was searched", longest=200),
        Column("searches", "count", "how often; 1 when left out"),
        Column("shoppers", "count", "distinct shoppers of that day"),
        Column("clicked", "ids", "products clicked after it, one entry a click", refers_to=_PRODUCT),
        Column("purchased", "ids", "products bought after it, one entry an order", refers_to=_PRODUCT),
    ),
    key=("keyword", "day", "category"),
)

RELEVANCE = Table(
    "relevance",
    "One row for each keyword and product that somebody judged.",
    (
        Column("keyword", "text", "what was sought", required=True, longest=200),
        Column("product_id", "text", "what was judged", required=True, longest=200, refers_to=_PRODUCT),
        Column("relevance", "share", "0 not relevant, 1 just what was sought", required=True),
        Column("label", "text", "the judge's own word"),
    ),
    key=("keyword", "product_id"),
)

TABLES = {table.name: table for table in (PRODUCTS, KEYWORDS, CAMPAIGN_HISTORY, SEARCHES, RELEVANCE)}


def as_markdown(table: Table) -> str:
    """The table as `docs/data.md` has it."""
    lines = [
        f"### {table.name}",
        "",
        table.meaning,
        "",
        "| column | holds | meaning |",
        "|---|---|---|",
    ]
    for column in table.columns:
        name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
        at_most = f"; at most `{table.at_most[column.name]}`" if column.name in table.at_most else ""
        refers = f"; in {column.refers_to[0]}" if column.refers_to else ""
        lines.append(f"| {name} | {IN_WORDS[column.kind]}{at_most}{refers} | {column.meaning} |")
    keys = ", ".join(f"`{name}`" for name in table.key)
    return "\n".join([*lines, "", f"No two rows have the same {keys}."])
