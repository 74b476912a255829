"""Rows to learn from: impressions with the vectors that were readable then, and what came of them.

A row's keyword is what the shopper typed, for organic and sponsored rows alike. A sponsored impression names the
campaign's keyword that matched it, which may be broader: learnt under that, a keyword would get the clicks of others.

Whether a row was clicked is known once it is older than the late horizon, at the moment up to which the log is known;
whether it was bought, an attribution window later: a younger one could still be. All clicked impressions are taken, and
a sample of the others, each of which then stands for several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_repo.offline import training_vectors
from feature_repo.vectors import pair_key
from infra.settings import Settings
from scorers.history import History, attributed
from scorers.ranking.features import Facts, Sums, Vocabulary, product_columns, usual_bid, words
from scorers.ranking.wording import lacking
from scorers.retrieval.matching import Matcher
from scorers.training.examination import Examination
from scorers.training.examples import Examples
from streams.contracts.messages import ProductState

MOST_ROWS = 300_000
"""Half of them clicked, half not."""
MOST_NEWEST = 100_000
"""Rows of the newest day, which only say how high click rates are by now."""
HIDDEN_SHARE = 0.3
"""Share of rows whose pair's own counts are hidden: sellers chose the pairs that were shown, the ranker mostly judges
pairs that nobody saw."""

Told = Callable[[str, int, int], None]
"""Told of a step, how much of it is done, and how much there is."""


def label_rows(
    history: History, first: int, known_until: int, settings: Settings, most: int = MOST_ROWS
) -> pl.DataFrame:
    """Impressions from `first` on that are labels, given what is known before `known_until` (both ms), by time.

    Columns: those of `History.impressions`, `clicked`, `purchased` (null while it could still happen), and `weight`.
    """
    clicks_known = known_until - settings.late_horizon_ms
    purchases_known = clicks_known - settings.attribution_window_ms
    clicks = history.clicks.filter(pl.col("event_time") < known_until)
    purchases = history.purchases.filter(pl.col("event_time") < known_until)
    bought = attributed(clicks, purchases, settings.attribution_window_ms).get_column("event_id").unique()
    outcome = clicks.select(
        "search_id", "item", clicked=pl.lit(True), purchased=pl.col("event_id").is_in(bought.implode())
    )
    outcome = outcome.group_by("search_id", "item").agg(pl.col("clicked").first(), pl.col("purchased").any())
    impressions = history.impressions.filter(pl.col("event_time").is_between(first, clicks_known, closed="left"))
    rows = as_searched(impressions, history).join(outcome, on=["search_id", "item"], how="left", maintain_order="left")
    rows = rows.with_columns(
        pl.col("clicked").fill_null(False),
        pl.when(pl.col("event_time") < purchases_known).then(pl.col("purchased").fill_null(False)),
    )
    return sampled(rows, most).sort("event_time")


def as_clicked(history: History, known_until: int) -> pl.DataFrame:
    """All impressions before `known_until` (ms), and whether each was `clicked` by then."""
    before = pl.col("event_time") < known_until
    clicks = history.clicks.filter(before).select("search_id", "item", clicked=pl.lit(1)).unique()
    shown = history.impressions.filter(before).join(clicks, on=["search_id", "item"], how="left")
    return shown.with_columns(pl.col("clicked").fill_null(0))


def as_searched(impressions: pl.DataFrame, history: History) -> pl.DataFrame:
    """Impressions with the search's `keyword` and `canonical`; they keep their own where the search is not known."""
    searches = history.typed.rename({"canonical": "searched"})
    joined = impressions.join(searches, on="search_id", how="left", maintain_order="left")
    return joined.with_columns(
        keyword=pl.coalesce("query", "keyword"), canonical=pl.coalesce("searched", "canonical")
    ).drop("query", "searched")


def sampled(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Clicked rows and as many others as fit, with `weight`: how many impressions each stands for.

    A row that stood for several before stands for as many times more.
    """
    clicked, others = rows.filter(pl.col("clicked")), rows.filter(~pl.col("clicked"))
    some_clicked = clicked.sample(min(most // 2, len(clicked)), seed=7)
    some_others = others.sample(min(most // 2, len(others)), seed=7)
    return pl.concat([_weighted(some_clicked, len(clicked)), _weighted(some_others, len(others))])


def _weighted(sample: pl.DataFrame, of: int) -> pl.DataFrame:
    before = pl.col("weight") if "weight" in sample.columns else pl.lit(1.0)
    return sample.with_columns((before * (of / max(len(sample), 1))).cast(pl.Float32).alias("weight"))


OUTCOMES = {"click": "clicked", "purchase": "purchased"}


def outcome_known(rows: pl.DataFrame, target: str) -> NDArray[np.bool_]:
    """Which rows say something of `target`: all of clicks, and of purchases those clicked long enough ago."""
    if target == "click":
        return np.ones(len(rows), np.bool_)
    return (rows.get_column("clicked") & rows.get_column("purchased").is_not_null()).to_numpy()


def examples(
    features: NDArray[np.float32], rows: pl.DataFrame, target: str, chosen: NDArray[np.bool_], looked: Examination
) -> Examples:
    """Of the chosen rows those of `outcome_known`, as examples of `target`. What was clicked was looked at."""
    chosen = chosen & outcome_known(rows, target)
    examined = looked.at(rows.get_column("position").to_numpy()) if target == "click" else np.ones(len(rows))
    return Examples(
        features[chosen],
        rows.get_column(OUTCOMES[target]).fill_null(False).to_numpy()[chosen],
        rows.get_column("weight").cast(pl.Float32).to_numpy()[chosen],
        examined[chosen],
        rows.get_column("item").rank("dense").to_numpy().astype(np.int64)[chosen],
    )


def join_vectors(frame: pl.DataFrame, settings: Settings, progress: Told | None = None) -> Sums:
    """The vectors that were readable at `event_time` for item, canonical, campaign and category of each row."""
    pairs = [pair_key(*pair) for pair in frame.select("item", "canonical").iter_rows()]
    asked = frame.select(
        "item",
        "campaign",
        "category",
        event_timestamp="event_time",
        keyword="canonical",
        pair=pl.Series(pairs, dtype=pl.String),
    )
    return Sums(**training_vectors(asked, settings, progress))


def some_hidden(rows: int, share: float = HIDDEN_SHARE, seed: int = 7) -> NDArray[np.bool_]:
    """A share of so many rows, drawn at random."""
    return np.random.default_rng(seed).random(rows) < share


def hide_pairs(features: NDArray[np.float32], names: Sequence[str], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The n x features with what is known of the pair itself missing on those rows. Counts of 0 would make them look
    like pairs that were never shown, and those fit their keyword less well."""
    of_pair = np.array([name.startswith("pair_") for name in names])
    return np.where(hidden[:, np.newaxis] & of_pair, np.float32(np.nan), features)


def facts_of(
    frame: pl.DataFrame, history: History, matcher: Matcher, vocabulary: Vocabulary, live_items: Mapping[str, int]
) -> Facts:
    """What else is known of the rows, as `scorers.ranking.features.serving_rows` knows it when serving.

    Products and campaigns are as of the end of the history, which keeps no older states of them.
    """
    rates = {campaign.campaign: campaign.ad_rate for campaign in history.campaigns}
    bids = {campaign.campaign: usual_bid(campaign) for campaign in history.campaigns}
    shown_in = frame.get_column("campaign").to_list()
    offered = frame.with_columns(
        ad_rate=pl.Series([rates.get(name) for name in shown_in], dtype=pl.Float64),
        bid=pl.Series([bids.get(name) for name in shown_in], dtype=pl.Float64),
    )
    return facts_of_offers(offered, history.products, matcher, vocabulary, live_items)


def facts_of_offers(
    frame: pl.DataFrame,
    products: Sequence[ProductState],
    matcher: Matcher,
    vocabulary: Vocabulary,
    live_items: Mapping[str, int],
) -> Facts:
    """`facts_of` rows that hold their campaign's `ad_rate` and usual `bid` (minor units), null where there is none."""
    canonicals = frame.get_column("canonical").to_list()
    number = {product.item: row for row, product in enumerate(products)}
    product_of = np.array([number.get(item, len(products)) for item in frame.get_column("item")], np.int64)
    known = product_of < len(products)
    forms = {canonical: row for row, canonical in enumerate(dict.fromkeys(canonicals))}
    keyword_of = np.array([forms[canonical] for canonical in canonicals], np.int64)
    lacked = lacking(products, list(forms), product_of * known, keyword_of, vocabulary.attributes)
    lacked[~known] = np.nan
    columns = {name: np.append(column, np.nan) for name, column in product_columns(products, vocabulary).items()}
    similarity = _similarity(frame, {product.item: product for product in products}, matcher)
    live = [live_items.get(category, np.nan) for category in frame.get_column("category")]
    return Facts(
        dense=similarity[:, 0],
        lexical=similarity[:, 1],
        keyword_words=words(canonicals),
        missing_words=lacked[:, 0],
        contradicted_words=lacked[:, 1],
        price=columns["price"][product_of],
        shipping=columns["shipping"][product_of],
        live_items=np.array(live, np.float64),
        promoted=frame.get_column("campaign").is_not_null().cast(pl.Float64).to_numpy(),
        ad_rate=frame.get_column("ad_rate").cast(pl.Float64).fill_null(np.nan).to_numpy(),
        bid=frame.get_column("bid").cast(pl.Float64).fill_null(np.nan).to_numpy(),
        condition=columns["condition"][product_of],
        category=columns["category"][product_of],
    )


def _similarity(frame: pl.DataFrame, products: Mapping[str, ProductState], matcher: Matcher) -> NDArray[np.float64]:
    """n x (dense, lexical); NaN where item or keyword is not known."""
    found = np.full((len(frame), 2), np.nan)
    by_item = frame.select("item", "canonical").with_row_index("row").group_by("item").agg("row", "canonical")
    by_item = by_item.filter(pl.col("item").is_in(list(products))).sort("item")
    texts = matcher.read(products[item] for item in by_item.get_column("item"))
    for text, rows, canonicals in zip(texts, by_item.get_column("row"), by_item.get_column("canonical"), strict=True):
        found[rows.to_numpy()] = matcher.matches(text, canonicals.to_list())
    return found
