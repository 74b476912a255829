"""A table's keywords, cleaned: junk out, spellings of one keyword together, rare searches kept back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.settings import Settings
from scorers.data.reading import BadTable, read
from scorers.data.schemas import KEYWORDS
from scorers.keywords import dictionary
from scorers.keywords.commands import filters_of
from scorers.keywords.lexicon import lexicon
from scorers.keywords.raw import from_table
from scorers.keywords.table import Keyword
from streams.contracts.events import UNKNOWN_CATEGORY

NOBODY_SEARCHED = pl.DataFrame(schema={"text": pl.String, "searches": pl.Int64})


@dataclass(frozen=True)
class KeywordList:
    """What may be suggested."""

    keywords: list[Keyword]
    """By canonical form, displayed as the table has it."""
    canonical: Callable[[str], str]
    """What a text counts under."""
    junk: int
    """Texts that are no keyword."""
    kept_back: int
    """Keywords that too few shoppers typed, or only sellers."""
    counted: bool
    """Whether the table says how many shoppers typed each keyword. If not, all are taken to be cleared."""


def read_keywords(
    path: Path, settings: Settings, names: Iterable[str] = (), searched: pl.DataFrame = NOBODY_SEARCHED
) -> KeywordList:
    """The keywords of a table. `names`: words that are right as they are; `searched`: text, searches of a history,
    which then stand for the table's own counts.

    Raises:
        BadTable: the file cannot be used, or no keyword is left.
        BadBlockList, LexiconMissing: what cleaning needs cannot be read.
    """
    table = read(path, KEYWORDS).frame.drop_nulls("keyword")
    own = from_table(table)
    counts = searched.filter(pl.col("text").str.strip_chars() != "")
    if len(counts):
        own = own.drop("volume").join(counts.rename({"searches": "volume"}), on="text", how="left")
        own = own.with_columns(pl.col("volume").fill_null(0))
    strange = counts.join(own, on="text", how="anti").select(
        "text", volume="searches", shoppers=pl.lit(None, pl.Int64), sellers_only=pl.lit(False)
    )
    counted = "shoppers" in table.columns
    made = dictionary.build(
        pl.concat([own.select(strange.columns), strange]),
        filters_of(settings),
        lexicon(names),
        settings.min_distinct_shoppers,
        cleared=not counted,
    )
    entries = made.entries.join(own.select("text"), on="text", how="semi")
    clustered = entries.drop_nulls("id").join(
        made.clusters.select("id", "status", total="volume", medoid="text"), on="id"
    )
    shown = clustered.filter(pl.col("status") == "suggestable")
    junk = entries.get_column("junk").count()
    kept_back = clustered.get_column("id").n_unique() - shown.get_column("id").n_unique()
    if shown.is_empty():
        raise BadTable(
            f"{path}: no keyword is left: {junk} are junk, {kept_back} were typed by fewer than "
            f"{settings.min_distinct_shoppers} shoppers (setting min_distinct_shoppers) or by sellers only"
        )
    if not len(counts) and "searches" not in table.columns:
        shown = shown.with_columns(total=pl.lit(0, pl.Int64))
    return KeywordList(_keywords(shown, table), made.canonical, junk, kept_back, counted)


def _keywords(shown: pl.DataFrame, table: pl.DataFrame) -> list[Keyword]:
    """`shown`: text, volume, id; total volume of its cluster and its medoid, which is shown where the table has it."""
    categories = (
        dict(table.drop_nulls("category").select("keyword", "category").iter_rows()) if "category" in table else {}
    )
    lower = pl.col("text").str.to_lowercase()
    other = lower != pl.col("medoid").str.to_lowercase()
    ordered = shown.sort("id", other, -pl.col("volume"), lower != pl.col("text"), "text")
    first = ordered.group_by("id", maintain_order=True)
    return [
        Keyword(canonical=ident, text=text, volume=total, category=categories.get(text) or UNKNOWN_CATEGORY)
        for ident, text, total in first.agg(pl.col("text").first(), pl.col("total").first()).iter_rows()
    ]
