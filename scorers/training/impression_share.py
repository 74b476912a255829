"""What P(shown) rests on, learnt from the auctions in a history: see `scorers.ranking.impression_share`.

Rows are the keywords that sellers chose, for each of the campaign's items: on how many pages of that very keyword the
item could have been an ad, and on how many it was one that was looked at. Keywords that a phrase or broad match reaches
are left out, as nobody says which those are.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.settings import Settings
from scorers.history import History
from scorers.keywords.table import keyword_table
from scorers.ranking.features import Floats, Vocabulary
from scorers.ranking.impression_share import ImpressionShare, Vacancies, bid_strength, terms
from scorers.retrieval.matching import Matcher
from scorers.training.dataset import as_searched, facts_of
from scorers.training.examination import Examination
from scorers.training.learners.logistic import logistic

USUAL_PAGES = 30
"""Pages at which half of what a keyword's own say of its vacancy is believed."""
MOST_PAGES = 100
"""So many pages of a pair count in full, more as so many: what is peculiar to a pair doesn't even out over them."""
MOST_ROWS = 100_000
LEAST_SHOWN = 200
"""Rows that were shown, below which the defaults are believed: seven weights need more."""
_PENALTY = 1.0
_SEED = 7
NO_VACANCIES = pl.DataFrame(schema={"canonical": pl.String, "vacancy": pl.Float64})
_ROW, _PAIR = ["campaign", "item", "canonical"], ["item", "canonical"]
_CHOSEN: dict[str, pl.DataType | type[pl.DataType]] = {
    "campaign": pl.String,
    "item": pl.String,
    "category": pl.String,
    "canonical": pl.String,
    "begins": pl.Int64,
    "ends": pl.Int64,
    "offer": pl.Float64,
}


def vacancies(history: History, until: int, settings: Settings) -> pl.DataFrame:
    """canonical, vacancy: see `Vacancies`, of pages before `until` (ms); empty if no vacant place was ever seen.

    A page has `settings.sponsored_slots` places. Few pages are drawn towards the market's usual.
    """
    slots = settings.sponsored_slots
    by_keyword = _pages(_shown(history, 0, until)).group_by("canonical").agg(places=slots * pl.len(), ads=pl.sum("ads"))
    by_keyword = by_keyword.cast({"places": pl.Int64, "ads": pl.Int64})
    by_keyword = by_keyword.with_columns(vacant=(pl.col("places") - pl.col("ads")).clip(0))
    usual = int(by_keyword.get_column("vacant").sum()) / max(int(by_keyword.get_column("places").sum()), 1)
    if not usual:
        return NO_VACANCIES
    drawn = USUAL_PAGES * slots
    share = (pl.col("vacant") + drawn * usual) / (pl.col("places") + drawn)
    return by_keyword.select("canonical", vacancy=share / usual).sort("canonical")


def impression_share(
    history: History, until: int, looked: Examination, matcher: Matcher, vocabulary: Vocabulary, settings: Settings
) -> ImpressionShare:
    """The weights that explain best what was shown in the longest window before `until` (ms); the defaults where too
    little was."""
    rows = chosen_rows(history, until - settings.longest_window_ms, until, looked, settings)
    if (rows.get_column("shown") > 0).sum() < LEAST_SHOWN:
        return ImpressionShare()
    rows = rows.sample(min(MOST_ROWS, len(rows)), seed=_SEED)
    columns = terms_of(rows, history, until, matcher, vocabulary, settings)
    return fitted(columns, rows.get_column("shown").to_numpy(), rows.get_column("pages").to_numpy())


def terms_of(
    rows: pl.DataFrame, history: History, until: int, matcher: Matcher, vocabulary: Vocabulary, settings: Settings
) -> Floats:
    """n x `terms` of n `chosen_rows`, as far as they were known at `until` (ms). Of the pair's impressions those that
    nobody paid for: it was not shown as an ad yet when it is asked whether to bid for it."""
    table = keyword_table(
        history.searches.filter(pl.col("event_time") < until),
        [one for one in history.campaigns if one.starts_at < until],
        canonical=history.canonical,
    )
    rivals = {keyword.canonical: float(keyword.rivals) for keyword in table}
    canonicals = rows.get_column("canonical").to_list()
    shown = _shown(history, until - settings.longest_window_ms, until).filter(pl.col("campaign").is_null())
    unpaid = rows.join(shown.group_by(_PAIR).agg(unpaid=pl.len()), _PAIR, "left", maintain_order="left")
    facts = facts_of(rows, history, matcher, vocabulary, {})
    return terms(
        rows.get_column("offer").to_numpy(),
        facts.dense,
        facts.contradicted_words,
        facts.keyword_words,
        unpaid.get_column("unpaid").fill_null(0).cast(pl.Float64).to_numpy(),
        Vacancies(vacancies(history, until, settings).iter_rows()).of(canonicals),
        np.array([rivals.get(canonical, 0.0) for canonical in canonicals]),
        settings,
    )


def fitted(columns: Floats, shown: NDArray[np.floating], pages: NDArray[np.integer]) -> ImpressionShare:
    """The weights of greatest likelihood for n rows of `terms`, `shown` so often (at most on all) on so many pages, of
    which `MOST_PAGES` count."""
    shown = np.minimum(shown, pages)
    counted = MOST_PAGES / np.maximum(pages, MOST_PAGES)
    found = logistic(
        np.vstack([columns, columns]),
        np.repeat([True, False], len(columns)),
        np.concatenate([shown * counted, (pages - shown) * counted]),
        np.ones(2 * len(columns)),
        _PENALTY,
    )
    weights = zip(ImpressionShare.__struct_fields__, (*found.coefficients.tolist(), found.intercept), strict=True)
    return ImpressionShare(**dict(weights))


def chosen_rows(history: History, first: int, until: int, looked: Examination, settings: Settings) -> pl.DataFrame:
    """What sellers chose that ran between `first` and `until` (ms): campaign, item, category, canonical, `offer`,
    `pages` of that keyword while it ran, and how often it was `shown` there, counted as it was looked at."""
    categories = {product.item: product.category for product in history.products}
    running = pl.DataFrame(
        [
            (one.campaign, item, categories[item], canonical, one.starts_at, one.ends_at, bid_strength(one, settings))
            for one in history.campaigns
            if one.status != "paused"  # nobody says since when
            for canonical in sorted({history.canonical(keyword.text) for keyword in one.keywords})
            for item in one.items
            if item in categories
        ],
        schema=_CHOSEN,
        orient="row",
    )
    running = running.with_columns(pl.col("begins").clip(first), pl.col("ends").fill_null(until).clip(None, until))
    running = running.filter(pl.col("begins") < pl.col("ends"))
    shown = _shown(history, first, until)
    looked_at = pl.Series(looked.at(shown.get_column("position").to_numpy()), dtype=pl.Float64)
    ads = shown.with_columns(shown=looked_at).drop_nulls("campaign").group_by(_ROW).agg(pl.sum("shown"))
    return (
        running.with_columns(pages=_counted(running, _pages(shown)))
        .filter(pl.col("pages") > 0)
        .join(ads, _ROW, "left")
        .with_columns(pl.col("shown").fill_null(0.0))
        .sort(_ROW)
    )


def _shown(history: History, first: int, until: int) -> pl.DataFrame:
    """The impressions between, under what was searched."""
    return as_searched(history.impressions.filter(pl.col("event_time").is_between(first, until, "left")), history)


def _pages(shown: pl.DataFrame) -> pl.DataFrame:
    """Pages of results: `canonical` keyword that was searched, event_time, and how many `ads` were on it."""
    pages = shown.group_by("search_id").agg(pl.first("canonical"), pl.min("event_time"), ads=pl.col("campaign").count())
    return pages.drop("search_id")


def _counted(running: pl.DataFrame, pages: pl.DataFrame) -> pl.Series:
    """How many pages of its keyword there were while each of them ran."""
    by_keyword = pages.sort("event_time").partition_by("canonical", as_dict=True)
    times = {canonical: own.get_column("event_time").to_numpy() for (canonical,), own in by_keyword.items()}
    none = np.zeros(0, np.int64)
    counts = [
        np.diff(np.searchsorted(times.get(canonical, none), (begins, ends)))[0]
        for canonical, begins, ends in running.select("canonical", "begins", "ends").iter_rows()
    ]
    return pl.Series(counts, dtype=pl.Int64)
