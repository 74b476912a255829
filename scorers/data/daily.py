"""Event history to tables: impressions and what came of them, counted by day.

An impression counts under its own day, with its click and what was bought after it, however late that was: so a day is
complete only once the attribution window after it is over.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from infra.settings import DAY_MS, Settings
from scorers.data.schemas import IN_PARQUET, PRODUCTS
from scorers.history import History, attributed
from streams.contracts.messages import CampaignState, ProductState

_CENTS = 100
_KEY = ["day", "campaign", "product_id", "keyword"]
_SUMS = ["impressions", "clicks", "conversions", "purchases", "units", "revenue"]


def tables(history: History, settings: Settings) -> dict[str, pl.DataFrame]:
    """All tables of an event history, by name.

    Raises:
        BadHistory: the history cannot be used.
    """
    rows = impressions(history, settings)
    return {
        "products": products(history.products, rows),
        "keywords": keywords(history),
        "campaign_history": by_day(rows, history.campaigns),
        "searches": searches(history, settings),
    }


def impressions(history: History, settings: Settings) -> pl.DataFrame:
    """Campaign history with a row for each impression: `time`, `search_id` and the exact position beside the counts."""
    shown = history.events(
        "impression", ["event_time", "item", "category", "campaign", "keyword", "position", "search_id"]
    )
    outcome = (
        _clicks(history, settings)
        .group_by("search_id", "item")
        .agg(
            clicks=pl.lit(1, pl.Int64),
            conversions=(pl.col("purchases") > 0).any().cast(pl.Int64),
            purchases=pl.col("purchases").sum(),
            units=pl.col("units").sum(),
            revenue=pl.col("revenue").sum(),
        )
    )
    return (
        shown.join(outcome, on=["search_id", "item"], how="left", maintain_order="left")
        .with_columns(pl.col("clicks", "conversions", "purchases", "units", "revenue").fill_null(0))
        .with_columns(day=_day("event_time"), impressions=pl.lit(1, pl.Int64))
        .rename({"item": "product_id", "event_time": "time"})
    )


def by_day(rows: pl.DataFrame, campaigns: Sequence[CampaignState]) -> pl.DataFrame:
    """Those rows summed for each day, campaign, product and keyword, with what is known of the campaign."""
    counted = rows.group_by(_KEY).agg(pl.col(_SUMS).sum(), pl.col("position").mean(), pl.col("category").first())
    known = counted.join(_campaigns(campaigns), on="campaign", how="left")
    return known.join(_bids(campaigns), on=["campaign", "keyword"], how="left").sort(_KEY)


def _clicks(history: History, settings: Settings) -> pl.DataFrame:
    """Every click with the orders, units and revenue (currency units) attributed to it."""
    clicks = history.events("click", ["event_id", "event_time", "shopper", "item", "search_id"])
    sold = history.events("purchase", ["event_id", "event_time", "shopper", "item", "quantity", "unit_price"])
    bought = (
        attributed(clicks, sold, settings.attribution_window_ms)
        .group_by("event_id")
        .agg(
            purchases=pl.len().cast(pl.Int64),
            units=pl.col("quantity").sum(),
            revenue=(pl.col("quantity") * pl.col("unit_price")).sum() / _CENTS,
        )
    )
    return clicks.join(bought, on="event_id", how="left").with_columns(
        pl.col("purchases", "units", "revenue").fill_null(0)
    )


def _campaigns(campaigns: Sequence[CampaignState]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "campaign": campaign.campaign,
                "seller": campaign.seller,
                "ad_rate": campaign.ad_rate,
                "campaign_created": campaign.starts_at // DAY_MS,
            }
            for campaign in campaigns
        ],
        schema={"campaign": pl.String, "seller": pl.String, "ad_rate": pl.Float64, "campaign_created": pl.Int32},
    ).with_columns(pl.col("campaign_created").cast(pl.Date))


def _bids(campaigns: Sequence[CampaignState]) -> pl.DataFrame:
    bids = {
        (campaign.campaign, keyword.text): keyword.bid / _CENTS
        for campaign in campaigns
        for keyword in campaign.keywords
    }
    rows = [(*key, bid) for key, bid in bids.items()]
    return pl.DataFrame(rows, {"campaign": pl.String, "keyword": pl.String, "bid": pl.Float64}, orient="row")


def searches(history: History, settings: Settings) -> pl.DataFrame:
    """Searches for each keyword (as typed), day and category, with the products clicked and bought after them."""
    asked = history.events("search", ["event_time", "search_id", "shopper", "query", "category"]).with_columns(
        day=_day("event_time")
    )
    after = (
        _clicks(history, settings)
        .group_by("search_id")
        .agg(clicked=pl.col("item"), purchased=pl.col("item").repeat_by("purchases").explode().drop_nulls())
    )
    return (
        asked.join(after, on="search_id", how="left")
        .group_by("query", "day", "category")
        .agg(
            searches=pl.len().cast(pl.Int64),
            shoppers=pl.col("shopper").n_unique().cast(pl.Int64),
            clicked=pl.col("clicked").explode().drop_nulls(),
            purchased=pl.col("purchased").explode().drop_nulls(),
        )
        .rename({"query": "keyword"})
        .sort("keyword", "day", "category")
    )


def keywords(history: History) -> pl.DataFrame:
    """Every keyword as typed: searches of the whole history, distinct shoppers of its last 30 days, main category."""
    asked = history.searches
    month_ago = asked.select(pl.col("event_time").max() - 30 * DAY_MS).item() if len(asked) else 0
    recent = pl.col("event_time") >= month_ago
    return (
        asked.group_by("query")
        .agg(
            searches=pl.len().cast(pl.Int64),
            shoppers=pl.col("shopper").filter(recent).n_unique().cast(pl.Int64),
            category=pl.col("category").mode().min(),
        )
        .rename({"query": "keyword"})
        .sort("searches", "keyword", descending=[True, False])
    )


def products(states: Sequence[ProductState], rows: pl.DataFrame) -> pl.DataFrame:
    """The products with their clicks and purchases in the last 7 and 30 days of `rows`."""
    told = [_product(product) for product in states]
    columns = [column for column in PRODUCTS.columns if not told or column.name in told[0]]
    frame = pl.DataFrame(told, {column.name: IN_PARQUET[column.kind] for column in columns}).with_columns(
        items_in_category=pl.len().over("category").cast(pl.Int64)
    )
    last = rows.get_column("day").max()
    for days in (7, 30):
        recent = rows.filter(pl.col("day") > pl.lit(last, pl.Date).dt.offset_by(f"-{days}d"))
        counts = recent.group_by("product_id").agg(
            pl.col("clicks").sum().alias(f"clicks_{days}d"), pl.col("purchases").sum().alias(f"purchases_{days}d")
        )
        frame = frame.join(counts, on="product_id", how="left", maintain_order="left")
    return frame.with_columns(pl.col("^(clicks|purchases)_.*$").fill_null(0))


def _product(product: ProductState) -> dict[str, object]:
    return {
        "product_id": product.item,
        "title": product.title,
        "category": product.category,
        "category_path": " > ".join(product.category_path) or None,
        "brand": product.brand,
        "price": None if product.price is None else product.price / _CENTS,
        "shipping": None if product.shipping is None else product.shipping / _CENTS,
        "condition": product.condition,
        "specification": msgspec.json.encode(product.specification).decode() if product.specification else None,
        "seller": product.seller,
    }


def _day(column: str) -> pl.Expr:
    return pl.from_epoch(column, time_unit="ms").dt.date()
