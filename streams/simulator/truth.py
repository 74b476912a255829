"""What is true of every (item, keyword): what a list of keywords is judged by.

value = expected campaign purchases in the next 7 days at the campaign's bid
      = searches that will match it x P(shown at this bid) x P(click) x P(purchase | click)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from infra.settings import DAY_MS, HOUR_MS
from streams.simulator.catalogue import Floats, Ints
from streams.simulator.market import Market, campaign_weight
from streams.simulator.relevance import RELEVANCE_FLOOR, fit

AHEAD_MS = 7 * DAY_MS


class Forecast:
    """The expected searches of each concept in the 7 days after any moment of the history, at the days' own rate."""

    def __init__(self, market: Market) -> None:
        start, until = market.plan.start_ms, market.plan.until_ms
        self._begins, hourly = market.demand.steps(start, until + AHEAD_MS, HOUR_MS)
        history = self._begins < until
        self._total = np.concatenate([np.zeros((1, hourly.shape[1])), np.cumsum(hourly, axis=0)])
        self._total *= market.plan.searches / hourly[history].sum()

    def searches(self, concept: Ints, at: Ints) -> Floats:
        """Expected searches in [at, at + 7 days); a moment before the history counts as its start."""
        last = len(self._begins)
        first_hour = np.clip(np.searchsorted(self._begins, at), 0, last)
        last_hour = np.clip(np.searchsorted(self._begins, at + AHEAD_MS), 0, last)
        last_hour = np.maximum(last_hour, np.searchsorted(self._begins, self._begins[0] + AHEAD_MS))
        return np.asarray(self._total[last_hour, concept] - self._total[first_hour, concept])


def truth(market: Market) -> pl.DataFrame:
    """One row for each item and canonical keyword that it is relevant to; for all other pairs the value is 0.

    Columns: item, keyword, canonical, campaign, searches_7d, p_shown, p_click, p_purchase, expected_purchases as of the
    end of the history, and the same with `_at_start` as of the campaign's start. Without a campaign, p_shown and
    expected_purchases are null.
    """
    item, concept = relevant_pairs(market)
    campaign = market.campaigns.owner(len(market.catalogue))[item]
    forecast = Forecast(market)
    ids = np.array([product.item for product in market.catalogue.products])
    text = np.array(market.concepts.text)
    p_purchase = market.p_purchase(item, concept)
    frame = pl.DataFrame(
        {
            "item": ids[item],
            "keyword": text[concept],
            "canonical": text[concept],
            "campaign": [None if owner < 0 else campaign_id(owner) for owner in campaign.tolist()],
            "p_purchase": p_purchase,
        }
    )
    ends = np.full(len(item), market.plan.until_ms)
    starts = np.where(campaign >= 0, market.campaigns.starts[campaign], market.plan.start_ms)
    for suffix, at in (("", ends), ("_at_start", np.maximum(starts, market.plan.start_ms))):
        frame = frame.with_columns(
            pl.Series(f"searches_7d{suffix}", forecast.searches(concept, at)),
            pl.Series(f"p_shown{suffix}", p_shown(market, item, campaign, concept, at)),
            pl.Series(f"p_click{suffix}", market.p_click(item, concept, at)),
        )
        product = pl.col(f"searches_7d{suffix}") * pl.col(f"p_shown{suffix}") * pl.col(f"p_click{suffix}")
        frame = frame.with_columns((product * pl.col("p_purchase")).alias(f"expected_purchases{suffix}"))
    promoted = pl.col("campaign").is_not_null()
    hidden = [name for name in frame.columns if name.startswith(("p_shown", "expected_purchases"))]
    return frame.with_columns(pl.when(promoted).then(pl.col(name)).alias(name) for name in hidden)


def p_shown(market: Market, item: Ints, campaign: Ints, concept: Ints, at: Ints) -> Floats:
    """P(shown) of each (item, concept) at the campaign's usual bid, against the rivals of that moment."""
    weight = campaign_weight(market, item, campaign, concept)
    return market.auction.p_shown(item, concept, weight, at, market.stock)


def promoted_values(market: Market) -> tuple[Ints, Ints, Ints, Floats]:
    """Item, concept, campaign and value of every relevant pair of a promoted item, as of the end of the history."""
    item, concept = relevant_pairs(market)
    campaign = market.campaigns.owner(len(market.catalogue))[item]
    item, concept, campaign = item[campaign >= 0], concept[campaign >= 0], campaign[campaign >= 0]
    at = np.full(len(item), market.plan.until_ms)
    value = Forecast(market).searches(concept, at) * p_shown(market, item, campaign, concept, at)
    return item, concept, campaign, value * market.p_click(item, concept, at) * market.p_purchase(item, concept)


def relevant_pairs(market: Market) -> tuple[Ints, Ints]:
    """All (item, concept) at or above the relevance floor."""
    items, concepts = [], []
    for place in range(len(market.catalogue.shelves)):
        on_shelf = np.flatnonzero(market.catalogue.shelf == place)
        asked = np.flatnonzero(market.concepts.shelf == place)
        relevance = fit(market.catalogue, market.concepts, on_shelf[:, None], asked[None, :]).relevance
        row, column = np.nonzero(relevance >= RELEVANCE_FLOOR)
        items.append(on_shelf[row])
        concepts.append(asked[column])
    return np.concatenate(items), np.concatenate(concepts)


def keywords_truth(market: Market) -> pl.DataFrame:
    """text, canonical: every raw keyword with its true canonical form. A seller's own phrase is its own."""
    searched = [market.concepts.text[concept] for concept in market.keywords.concept.tolist()]
    own = market.campaigns.texts[len(searched) :]
    return pl.DataFrame({"text": market.campaigns.texts, "canonical": searched + own})


def write_truth(market: Market, folder: Path) -> None:
    """Write truth.parquet and keywords_truth.parquet."""
    truth(market).write_parquet(folder / "truth.parquet")
    keywords_truth(market).write_parquet(folder / "keywords_truth.parquet")


def campaign_id(campaign: int) -> str:
    """How events and states name a campaign."""
    return f"c{campaign:04d}"
