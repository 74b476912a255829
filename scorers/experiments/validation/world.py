"""A market in which some sellers use recommended keywords: what follows comes out of the auction, nothing is added.

Recommended are the keywords that are truly worth most to a campaign, seen through noise. A seller who uses them bids
its usual bid for them. A treated seller uses them with a known probability, an untreated one finds some unasked. The
same shoppers come whatever the sellers do (paired seeds).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.settings import DAY_MS, MINUTE_MS
from scorers.history import attributed
from streams.simulator.auction import Entries, arrange, entries
from streams.simulator.catalogue import Floats, Ints
from streams.simulator.market import Market, Plan, build, campaign_weight
from streams.simulator.pages import BOT_SHARE, Pages, search, show
from streams.simulator.sellers import Choice
from streams.simulator.truth import relevant_pairs

WINDOW_DAYS = 7
RECOMMENDED = 5
"""Keywords of a list that a seller adopts."""
NOISE = 0.5
"""Of the recommendations' values, in logarithms."""
_MOMENTS = 4
"""At which the expectation is taken, across the window; fashions and stock move."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """A market at the moment of exposure (`market.plan.until_ms`), and what its sellers may do then."""

    market: Market
    sellers: list[str]
    seller_of: Ints
    """Of each campaign: its place in `sellers`."""
    bidding: Entries
    """Base entries, then those of recommended keywords."""
    recommended: Mask
    """Which entries are of recommended keywords."""
    keywords: list[list[str]]
    """Recommended to each campaign."""
    attribution_ms: int

    @property
    def begins(self) -> int:
        return self.market.plan.until_ms

    def with_users(self, users: Mask) -> Market:
        """The market when these sellers use what is recommended."""
        active = ~self.recommended | users[self.seller_of[self.bidding.campaign]]
        market = self.market
        auction = arrange(self.bidding.chosen(active), len(market.concepts), len(market.catalogue), market.campaigns)
        return replace(market, auction=auction)

    def expected(self, users: Mask) -> Floats:
        """Expected purchases of each campaign by sponsored clicks in the window, in closed form."""
        market = self.with_users(users)
        auction = market.auction
        concept, bidder = np.nonzero(auction.item >= 0)
        item, campaign = auction.item[concept, bidder], auction.campaign[concept, bidder]
        weight = auction.weight[concept, bidder]
        p_purchase = market.p_purchase(item, concept)
        total = np.zeros(len(market.campaigns))
        for place in range(_MOMENTS):
            at = np.full(len(item), self.begins + int((place + 0.5) / _MOMENTS * WINDOW_DAYS * DAY_MS))
            open_ = auction.open(concept, at, market.stock)[np.arange(len(item)), bidder]
            shown = auction.p_shown(item, concept, weight, at, market.stock) * open_
            value = market.concepts.weight[concept] * shown * market.p_click(item, concept, at) * p_purchase
            total += np.bincount(campaign, value, minlength=len(total))
        return total * market.plan.searches * (1 - BOT_SHARE) / _MOMENTS

    def pages(self, users: Mask, seed: int) -> tuple[Market, Pages]:
        """What the shoppers of a seed do in the window, and the market they meet."""
        market = self.with_users(users)
        came = np.random.default_rng([seed, 0])
        at = np.sort(came.integers(self.begins, self.begins + WINDOW_DAYS * DAY_MS, market.plan.searches))
        concept = came.choice(len(market.concepts), len(at), p=market.concepts.weight)
        searches = search(came, market, at, concept)
        return market, show(np.random.default_rng([seed, 1]), market, searches)


def make_world(seed: int, searches: int, attribution_ms: int, start_ms: int, products: int = 1_600) -> World:
    """A market whose history ends where the experiment begins; sellers have had their campaigns for some time."""
    plan = Plan(
        seed=seed,
        start_ms=start_ms,
        until_ms=start_ms + 8 * DAY_MS,
        searches=searches,
        products=products,
        campaigns=400,
        keywords=4_000,
    )
    market = build(plan)
    base = entries(market.catalogue, market.concepts, market.campaigns, market.pace)
    choices = _recommended(market)
    added = entries(market.catalogue, market.concepts, replace(market.campaigns, choices=choices), market.pace)
    bidding = base.joined(added)
    sellers = sorted(set(market.campaigns.seller))
    place = {seller: number for number, seller in enumerate(sellers)}
    return World(
        market,
        sellers,
        np.array([place[seller] for seller in market.campaigns.seller]),
        bidding,
        np.arange(len(bidding.item)) >= len(base.item),
        [[market.concepts.text[choice.concept] for choice in of_campaign] for of_campaign in choices],
        attribution_ms,
    )


def outcomes(world: World, market: Market, pages: Pages) -> pl.DataFrame:
    """Clicks, attributed purchases and revenue by campaign and minute: the fast computation."""
    shopper = pages.searches.shopper
    clicks = pl.DataFrame(
        {
            "event_id": np.arange(len(pages.clicks.time)),
            "event_time": pages.clicks.time,
            "shopper": shopper[pages.clicks.search],
            "item": pages.clicks.item,
            "campaign": pages.clicks.campaign,
        }
    )
    purchases = pl.DataFrame(
        {
            "event_id": np.arange(len(pages.purchases.time)),
            "event_time": pages.purchases.time,
            "shopper": shopper[pages.purchases.search],
            "item": pages.purchases.item,
            "revenue": pages.purchases.quantity * market.catalogue.price[pages.purchases.item].astype(np.int64),
        }
    )
    bought = attributed(clicks, purchases, world.attribution_ms)
    parts = (
        clicks.select("campaign", at="event_time", clicks=pl.lit(1), purchases=pl.lit(0), revenue=pl.lit(0)),
        bought.select("campaign", at="purchased_at", clicks=pl.lit(0), purchases=pl.lit(1), revenue=pl.col("revenue")),
    )
    return (
        pl.concat([part.cast(pl.Int64) for part in parts])
        .filter(pl.col("campaign") >= 0)
        .group_by("campaign", pl.col("at") // MINUTE_MS * MINUTE_MS)
        .agg(pl.col("clicks", "purchases", "revenue").sum())
    )


def _recommended(market: Market) -> list[list[Choice]]:
    """The most valuable keywords that each campaign does not have, by true value times noise."""
    rng = market.rng("recommendations")
    item, concept = relevant_pairs(market)
    owner = market.campaigns.owner(len(market.catalogue))[item]
    item, concept, owner = item[owner >= 0], concept[owner >= 0], owner[owner >= 0]
    at = np.full(len(item), market.plan.until_ms)
    shown = market.auction.p_shown(item, concept, campaign_weight(market, item, owner, concept), at, market.stock)
    value = market.concepts.weight[concept] * shown * market.p_click(item, concept, at)
    value = value * market.p_purchase(item, concept)
    table = pl.DataFrame({"campaign": owner, "concept": concept, "value": value})
    worth = table.group_by("campaign", "concept").agg(pl.col("value").sum()).sort("campaign", "concept")
    noisy = worth.with_columns(pl.col("value") * np.exp(rng.normal(0, NOISE, len(worth))))
    best = noisy.sort("value", descending=True, maintain_order=True).group_by("campaign", maintain_order=True)
    lists: list[list[Choice]] = [[] for _ in range(len(market.campaigns))]
    for campaign, found in best.agg(pl.col("concept")).iter_rows():
        has = {choice.concept for choice in market.campaigns.choices[campaign]}
        bid = max(5, round(float(market.campaigns.bid[campaign])))
        new = [place for place in found if place not in has][:RECOMMENDED]
        lists[campaign] = [Choice(int(market.keywords.first[place]), place, "exact", bid) for place in new]
    return lists
