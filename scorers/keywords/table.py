"""The keyword table: what history knows of each keyword, and to whom its text may be shown.

Shoppers' searches and sellers' campaign keywords are counted under the canonical form. Rare text may hold names and
addresses, so a keyword that too few shoppers typed is withheld, and what sellers alone typed is shown to no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from infra.settings import DAY_MS
from streams.canonical import NORMAL, CanonicalForms, form_words
from streams.contracts.events import UNKNOWN_CATEGORY
from streams.contracts.messages import CampaignState
from streams.normal_form import EMPTY

SHOPPER_DAYS = 30
"""Distinct shoppers are those of so many days before the last search."""


class Keyword(msgspec.Struct, frozen=True, kw_only=True):
    """One canonical keyword."""

    canonical: str
    text: str
    """For display: the form most typed by shoppers; if none searched it, the one that most sellers typed."""
    category: str = UNKNOWN_CATEGORY
    """In which most of its searches were made."""
    volume: int = 0
    """Searches in the table's history."""
    volume_last_day: int = 0
    shoppers: int = 0
    """Distinct shoppers who searched it in the table's last `SHOPPER_DAYS`."""
    withheld: bool = False
    """Too few shoppers typed it: only sellers who typed it themselves may see it."""
    sellers: list[str] = msgspec.field(default_factory=list)
    """Those who typed `text` in a campaign."""
    rivals: int = 0
    """Distinct sellers with a keyword that matches it: the same canonical form, or, for phrase and broad match, words
    that it holds."""
    first_searched_at: int = 0
    """ms; 0 when no shopper searched it."""


def is_public(keyword: Keyword) -> bool:
    """Whether every seller may see the keyword's text: enough shoppers typed it, or nobody at all is known to have."""
    return not keyword.withheld and (keyword.shoppers > 0 or not keyword.sellers)


def private_to(keyword: Keyword) -> str:
    """The seller who alone may see the keyword's text, as only they typed it; empty for none or all of them."""
    return "" if is_public(keyword) or len(keyword.sellers) != 1 else keyword.sellers[0]


def may_show(keyword: Keyword, seller: str) -> bool:
    """Whether `seller` may see the keyword's text."""
    return is_public(keyword) or seller in keyword.sellers


def keyword_table(
    searches: pl.DataFrame,
    campaigns: Iterable[CampaignState],
    min_distinct_shoppers: int = 1,
    canonical: CanonicalForms = NORMAL,
) -> list[Keyword]:
    """The table of all keywords in `searches` (columns of `events.Search`) and campaigns, by canonical form.

    Those that fewer than `min_distinct_shoppers` typed in the last `SHOPPER_DAYS` are withheld.
    """
    shoppers = {row["canonical"]: row for row in _searched(searches, canonical).iter_rows(named=True)}
    campaigns = list(campaigns)
    sellers = _typed_by_sellers(campaigns, canonical)
    canonicals = sorted((shoppers.keys() | sellers.keys()) - {EMPTY})
    rivals = _rivals(campaigns, canonicals, canonical)
    return [
        msgspec.structs.replace(keyword, withheld=keyword.shoppers < min_distinct_shoppers)
        for form in canonicals
        for keyword in [_keyword(form, shoppers.get(form), sellers.get(form, {}), len(rivals[form]))]
    ]


def canonical_column(frame: pl.DataFrame, column: str, canonical: CanonicalForms) -> pl.DataFrame:
    """`frame` with `canonical`, the canonical form of its text `column`."""
    texts = frame.get_column(column).unique()
    forms = pl.DataFrame({column: texts, "canonical": pl.Series(map(canonical, texts), dtype=pl.String)})
    return frame.join(forms, on=column, how="left", maintain_order="left")


def _searched(searches: pl.DataFrame, canonical: CanonicalForms) -> pl.DataFrame:
    """Per canonical form: text, category, volume, volume_last_day, shoppers, first_searched_at."""
    rows = canonical_column(searches.select("event_time", "shopper", "query", "category"), "query", canonical)
    last: int = rows.get_column("event_time").max() or 0  # type: ignore[assignment]
    recent = pl.col("event_time") > last - SHOPPER_DAYS * DAY_MS
    counts = rows.group_by("canonical").agg(
        pl.len().alias("volume"),
        (pl.col("event_time") > last - DAY_MS).sum().alias("volume_last_day"),
        pl.col("shopper").filter(recent).n_unique().alias("shoppers"),
        pl.col("event_time").min().alias("first_searched_at"),
    )
    texts = _most_frequent(rows, "query").rename({"query": "text"})
    categories = _most_frequent(rows.filter(pl.col("category") != UNKNOWN_CATEGORY), "category")
    return counts.join(texts, on="canonical").join(categories, on="canonical", how="left")


def _most_frequent(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Per canonical form the most frequent value of `column`; of equals the first in the alphabet."""
    return (
        rows.group_by("canonical", column)
        .len()
        .sort(["canonical", "len", column], descending=[False, True, False])
        .group_by("canonical", maintain_order=True)
        .agg(pl.col(column).first())
    )


def _typed_by_sellers(
    campaigns: Iterable[CampaignState], canonical: CanonicalForms
) -> dict[str, dict[str, dict[str, str]]]:
    """Canonical form -> text -> seller -> category of a campaign in which the seller typed it."""
    typed: dict[str, dict[str, dict[str, str]]] = {}
    for campaign in campaigns:
        for keyword in campaign.keywords:
            by_text = typed.setdefault(canonical(keyword.text), {})
            by_text.setdefault(keyword.text, {})[campaign.seller] = campaign.category
    return typed


def _rivals(
    campaigns: Iterable[CampaignState], canonicals: Iterable[str], canonical: CanonicalForms
) -> dict[str, set[str]]:
    """Canonical form -> sellers with a keyword that matches it."""
    rivals: dict[str, set[str]] = {form: set() for form in canonicals}
    holding: dict[str, set[str]] = {}
    for form in rivals:
        for word in form_words(form):
            holding.setdefault(word, set()).add(form)
    wide: dict[str, set[str]] = {}
    for campaign in campaigns:
        for keyword in campaign.keywords:
            if (form := canonical(keyword.text)) in rivals:
                rivals[form].add(campaign.seller)
                if keyword.match_type != "exact":
                    wide.setdefault(form, set()).add(campaign.seller)
    for form, sellers in wide.items():
        for matched in set.intersection(*(holding[word] for word in form_words(form))):
            rivals[matched] |= sellers
    return rivals


def _keyword(canonical: str, searched: dict[str, Any] | None, typed: dict[str, dict[str, str]], rivals: int) -> Keyword:
    if searched is None:
        text = min(typed, key=lambda form: (-len(typed[form]), form))
        categories = sorted(typed[text].values())
        category = max(categories, key=categories.count)
        return Keyword(canonical=canonical, text=text, category=category, sellers=sorted(typed[text]), rivals=rivals)
    known = {name: value for name, value in searched.items() if value is not None}
    return Keyword(**known, sellers=sorted(typed.get(searched["text"], {})), rivals=rivals)


def write_table(path: Path, keywords: Iterable[Keyword]) -> None:
    """Write the table as Parquet."""
    pl.DataFrame(_rows(keywords), schema=_SCHEMA).write_parquet(path)


def read_table(path: Path) -> list[Keyword]:
    """Read what `write_table` wrote."""
    return [Keyword(**row) for row in pl.read_parquet(path).iter_rows(named=True)]


def _rows(keywords: Iterable[Keyword]) -> Iterator[dict[str, Any]]:
    return (msgspec.structs.asdict(keyword) for keyword in keywords)


_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "canonical": pl.String,
    "text": pl.String,
    "category": pl.String,
    "volume": pl.Int64,
    "volume_last_day": pl.Int64,
    "shoppers": pl.Int64,
    "withheld": pl.Boolean,
    "sellers": pl.List(pl.String),
    "rivals": pl.Int64,
    "first_searched_at": pl.Int64,
}
