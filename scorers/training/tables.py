"""Daily tables as what a ranker learns from: a row is a campaign, product, keyword and day, its counts are weights.

`clicks` out of `impressions`, and `conversions` out of `clicks`, are binomial counts: a row becomes up to three
examples (not clicked; clicked and not bought; bought), each with its count as weight, whose summed log loss is that of
the single impressions. Columns are those of `scorers.data.schemas`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.settings import DAY_MS, Settings
from infra.steps import Steps
from scorers.data.products import CENTS, read_products
from scorers.data.reading import BadTable, find, read
from scorers.data.schemas import CAMPAIGN_HISTORY, KEYWORDS, PRODUCTS, SEARCHES, Table
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.keywords.table import canonical_column
from scorers.ranking.features import Vocabulary, feature_names, matrix
from scorers.ranking.impression_share import ImpressionShare
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.matching import Matcher
from scorers.training.daily_keywords import daily_keyword_table
from scorers.training.daily_sums import SHOWN, daily_sums, daily_windows, days_until_complete
from scorers.training.dataset import (
    MOST_NEWEST,
    MOST_ROWS,
    examples,
    facts_of_offers,
    hide_pairs,
    sampled,
    some_hidden,
)
from scorers.training.examination import Examination, examination
from scorers.training.examples import CannotLearn, Examples
from scorers.training.impression_share import NO_VACANCIES
from scorers.training.ranker import TrainingSet, live_items
from scorers.training.split import held_out_days, warm_up_days
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.events import UNKNOWN_CATEGORY
from streams.contracts.messages import ProductState

_OPTIONAL = {
    "conversions": pl.Int64,
    "units": pl.Int64,
    "revenue": pl.Float64,
    "position": pl.Float64,
    "category": pl.String,
    "seller": pl.String,
    "ad_rate": pl.Float64,
    "bid": pl.Float64,
}
_NOT_SEARCHED = {
    "day": pl.Date,
    "text": pl.String,
    "category": pl.String,
    "searches": pl.Int64,
    "shoppers": pl.Int64,
    "canonical": pl.String,
}


@dataclass(frozen=True)
class DailyTables:
    """A folder of tables (see `scorers.training.ranker.Source`). Everything is read when first asked for."""

    folder: Path
    cleared: bool = False
    """Its owner says that no keyword holds a name or an address, where no table says how many shoppers typed it."""
    canonical: CanonicalForms = NORMAL
    """What its keywords count under."""

    @cached_property
    def products(self) -> list[ProductState]:
        """As the table has them.

        Raises:
            BadTable: it is missing or cannot be used.
        """
        return read_products(self._path(PRODUCTS))

    @cached_property
    def shown(self) -> pl.DataFrame:
        """Campaign history: day, item, canonical, campaign, category, the counts (revenue and bid in minor units),
        position, ad_rate, bid, seller, text.

        Raises:
            BadTable: it is missing or cannot be used.
        """
        path = self._path(CAMPAIGN_HISTORY)
        frame = read(path, CAMPAIGN_HISTORY).frame
        frame = frame.with_columns(
            pl.lit(None, kind).alias(name) for name, kind in _OPTIONAL.items() if name not in frame.columns
        )
        counts = [pl.col(name) for name in ("impressions", "clicks", "conversions", "purchases")]
        wrong = frame.select(
            pl.any_horizontal(
                pl.col("day", "product_id", "keyword", "impressions", "clicks", "purchases").is_null(),
                *(count < 0 for count in counts),
                pl.col("clicks") > pl.col("impressions"),
                pl.col("conversions") > pl.col("clicks"),
            ).fill_null(False)
        ).to_series()
        if wrong.any():
            raise BadTable(f"{path}: row {int(wrong.arg_true()[0]) + 1} cannot be used; `keypulse data check` says why")
        category = {product.item: product.category for product in self.products}
        return canonical_column(frame, "keyword", self.canonical).select(
            "day",
            "canonical",
            "campaign",
            pl.coalesce(
                "category",
                pl.col("product_id").replace_strict(category, default=UNKNOWN_CATEGORY, return_dtype=pl.String),
            ).alias("category"),
            "impressions",
            "clicks",
            "purchases",
            "position",
            "ad_rate",
            "seller",
            item="product_id",
            text="keyword",
            conversions=pl.coalesce("conversions", pl.min_horizontal("purchases", "clicks")),
            units=pl.coalesce("units", "purchases"),
            revenue=pl.col("revenue").fill_null(0.0) * CENTS,
            bid=(pl.col("bid") * CENTS).filter(pl.col("bid") > 0).median().over("campaign", "day"),
        )

    @cached_property
    def searched(self) -> pl.DataFrame:
        """Searches: day, text, canonical, category, searches, shoppers; empty without the table, or without its days.

        Raises:
            BadTable: it cannot be used.
        """
        path = find(self.folder, SEARCHES)
        frame = read(path, SEARCHES).frame if path else pl.DataFrame()
        if "day" not in frame.columns:
            return pl.DataFrame(schema=_NOT_SEARCHED)
        frame = frame.with_columns(
            pl.lit(None, kind).alias(name)
            for name, kind in _NOT_SEARCHED.items()
            if name not in (*frame.columns, "text")
        ).drop_nulls(["keyword", "day"])
        filled = frame.with_columns(
            pl.col("category").fill_null(UNKNOWN_CATEGORY), pl.col("searches").fill_null(1)
        ).rename({"keyword": "text"})
        return canonical_column(filled.drop("canonical"), "text", self.canonical).select(*_NOT_SEARCHED)

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last day with an impression."""
        days = self.shown.get_column("day")
        return days.min(), days.max()  # type: ignore[return-value]

    @property
    def days(self) -> float:
        """How many."""
        first, last = self.span
        return (last - first).days + 1.0

    def keywords(self, encoder: Encoder, settings: Settings, progress: Callable[[int, int], None]) -> EmbeddedKeywords:
        """All keywords of the tables, embedded.

        Raises:
            BadTable: a table cannot be used, or none says how many shoppers typed a keyword, and the owner nothing.
        """
        listed = self._listed()
        told = any(frame.get_column("shoppers").is_not_null().any() for frame in (self.searched, listed))
        if not (told or self.cleared):
            raise BadTable(
                f"{self.folder}: neither keywords nor searches has a column shoppers, so that nobody can tell "
                "whether a keyword is the name or address of one shopper; fill it, or say with --cleared that none is"
            )
        least = settings.min_distinct_shoppers if told else 0
        sponsored = self.shown.filter(pl.col("campaign").is_not_null())
        typed = sponsored.select("text", "canonical", "category", "seller").unique()
        table = daily_keyword_table(self.searched, typed, listed, least)
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            progress(done, len(table))

        return EmbeddedKeywords(table, encoder.encode([one.text for one in table], tell).astype(np.float16))

    def pairs(self, settings: Settings) -> pl.DataFrame:
        """Clicks and purchases of each item and canonical keyword: item, canonical, clicks, purchases."""
        counted = self.shown.group_by("item", "canonical").agg(pl.col("clicks", "purchases").sum())
        return counted.filter(pl.col("clicks") > 0).sort("item", "canonical")

    def training_set(
        self,
        matcher: Matcher,
        vocabulary: Vocabulary,
        settings: Settings,
        steps: Steps,
    ) -> TrainingSet:
        """The days of the training part whose purchases were complete at its end, each with what was known before it.

        Raises:
            BadTable: a table cannot be used.
            CannotLearn: too few days.
        """
        first, _ = self.span
        known_until = first + timedelta(days=int(self.days - held_out_days(self.days, settings)))
        begin = first + timedelta(days=max(1, round(warm_up_days(self.days, settings))))
        end = known_until - timedelta(days=days_until_complete(settings))
        with steps.step("days and what came of them"):
            rows = self.outcomes(begin, end)
        if rows.is_empty():
            raise CannotLearn(
                f"{self.folder}: its {self.days:.0f} days leave none whose purchases are complete at the end of the "
                "training part: more days are needed"
            )
        with steps.step("how likely places are looked at"):
            looked = self.examination(known_until)
        rows = sampled(rows, MOST_ROWS).sort("event_time")
        hidden = some_hidden(len(rows))
        features = self.features(rows, matcher, vocabulary, settings, steps, hidden)
        return TrainingSet(rows, features, _ms(known_until), looked, hidden)

    def newest_clicks(
        self, looked: Examination, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> Examples | None:
        """See `scorers.training.ranker.Source`."""
        _, last = self.span
        rows = sampled(self.outcomes(last, last + timedelta(days=1)), MOST_NEWEST)
        if rows.is_empty():
            return None
        features = self.features(rows, matcher, vocabulary, settings, steps)
        return examples(features, rows, "click", np.ones(len(rows), np.bool_), looked)

    def impression_share(
        self, learning: TrainingSet, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> ImpressionShare:
        """The defaults: no table says on which pages an ad could have been."""
        return ImpressionShare()

    def vacancies(self, settings: Settings) -> pl.DataFrame:
        """None is known, for the same reason."""
        return NO_VACANCIES

    def outcomes(self, begin: date, end: date) -> pl.DataFrame:
        """The rows of days from `begin` to before `end`, one for each outcome that occurred, `weight` times.

        Columns: those of `shown`, `event_time` (ms, the day's start), `clicked`, `purchased`, `weight`.
        """
        counts = {
            (False, False): pl.col("impressions") - pl.col("clicks"),
            (True, False): pl.col("clicks") - pl.col("conversions"),
            (True, True): pl.col("conversions"),
        }
        chosen = self.shown.filter(pl.col("day").is_between(begin, end, closed="left"))
        rows = pl.concat(
            chosen.with_columns(clicked=pl.lit(clicked), purchased=pl.lit(purchased), weight=count.cast(pl.Float32))
            for (clicked, purchased), count in counts.items()
        )
        at = pl.col("day").cast(pl.Int64) * DAY_MS
        return rows.filter(pl.col("weight") > 0).with_columns(event_time=at).sort("event_time")

    def examination(self, known_until: date) -> Examination:
        """How likely places are looked at, by the mean place of each row; none is corrected for without places."""
        return examination(self.outcomes(self.span[0], known_until).drop_nulls("position"))

    def features(
        self,
        rows: pl.DataFrame,
        matcher: Matcher,
        vocabulary: Vocabulary,
        settings: Settings,
        steps: Steps,
        hidden: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """n x features of rows as `outcomes` gives them, as of the start of each row's day; what is known of the pair
        itself is missing on the rows that are `hidden`."""
        with steps.step("features as of each day's start"):
            sums = daily_sums(rows, self.shown.select(*_COUNTED, *SHOWN), self.searched, settings)
        with steps.step("similarities"):
            facts = facts_of_offers(rows, self.products, matcher, vocabulary, live_items(self.products))
        of_days = settings.model_copy(update={"windows": daily_windows(settings)})
        found = matrix(sums, facts, of_days)
        return found if hidden is None else hide_pairs(found, feature_names(of_days.windows), hidden)

    def _listed(self) -> pl.DataFrame:
        """The owner's list: text, canonical, shoppers; without what only sellers typed."""
        path = find(self.folder, KEYWORDS)
        if not path:
            return pl.DataFrame(schema={"canonical": pl.String, "shoppers": pl.Int64, "text": pl.String})
        frame = read(path, KEYWORDS).frame.drop_nulls("keyword")
        if "typed_by" in frame.columns:
            frame = frame.filter(pl.col("typed_by").ne_missing("sellers"))
        if "shoppers" not in frame.columns:
            frame = frame.with_columns(shoppers=pl.lit(None, pl.Int64))
        return canonical_column(frame, "keyword", self.canonical).select("canonical", "shoppers", text="keyword")

    def _path(self, table: Table) -> Path:
        path = find(self.folder, table)
        if not path:
            raise BadTable(f"{self.folder}: holds no {table.name} (as .parquet or .csv); see docs/data.md")
        return path


_COUNTED = ("day", "item", "canonical", "campaign", "category")


def _ms(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS
