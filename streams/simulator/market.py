"""The market: all mechanisms put together from one seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from infra.settings import DAY_MS, HOUR_MS
from streams.simulator.auction import Auction, bid_weight, hold_auction
from streams.simulator.catalogue import Catalogue, Floats, Ints, make_catalogue
from streams.simulator.clicks import Clicks, make_clicks
from streams.simulator.concepts import Concepts, make_concepts
from streams.simulator.demand import Demand, make_demand
from streams.simulator.keywords import Keywords, make_keywords
from streams.simulator.organic import Organic, rank_organic
from streams.simulator.purchases import Purchases, make_purchases
from streams.simulator.relevance import fit
from streams.simulator.sellers import Campaigns, open_campaigns
from streams.simulator.stock import Stock, make_stock

TEXTS_PER_CONCEPT = 4.0
MOST_CAMPAIGNS = 400
_TASTE_STEP_MS = 6 * HOUR_MS
_SHOPPERS_PER_SEARCH = 0.15


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a market is made from: the same plan (and catalogue) gives the same market, to the bit."""

    seed: int
    start_ms: int
    until_ms: int
    """History runs from start to until; campaigns and listings are laid around it."""
    searches: int
    """About how many searches the days hold; sets the scale of demand."""
    warm_up_ms: int = 0
    """The history's last stretch, in which shoppers come at the rate of the live run that will follow."""
    warm_up_searches: int = 0
    """Searches of the warm-up, besides those of the days; they leave demand, budgets and truth as they are."""
    products: int = 2_400
    campaigns: int | None = None
    """None: MOST_CAMPAIGNS, or half the products where that is fewer."""
    keywords: int = 12_000

    @property
    def warm_up_from_ms(self) -> int:
        return self.until_ms - self.warm_up_ms


@dataclass(frozen=True)
class Market:
    """Everything that is fixed before the first shopper comes."""

    plan: Plan
    catalogue: Catalogue
    concepts: Concepts
    keywords: Keywords
    stock: Stock
    clicks: Clicks
    purchases: Purchases
    demand: Demand
    organic: Organic
    campaigns: Campaigns
    appetite: Floats
    """Per campaign: its budget over what it would spend; below 1 the budget binds."""
    pace: Floats
    """Per campaign: the factor on its bids that keeps it within its budget."""
    auction: Auction

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that one more draw here changes nothing there."""
        return _generator(self.plan.seed, purpose)

    @property
    def shoppers(self) -> int:
        return max(2_000, int(_SHOPPERS_PER_SEARCH * (self.plan.searches + self.plan.warm_up_searches)))

    def taste(self, item: Ints, at: Ints) -> Floats:
        """How much each item is in fashion at each moment (steps of six hours), in log-odds of a click."""
        steps, step_of = np.unique(at // _TASTE_STEP_MS, return_inverse=True)
        facets = self.demand.facet_taste(steps * _TASTE_STEP_MS)
        padded = np.concatenate([facets, np.zeros((len(steps), 1))], axis=1)
        return np.asarray(padded[:, self.catalogue.values].sum(axis=2)[step_of, item])

    def p_click(self, item: Ints, concept: Ints, at: Ints) -> Floats:
        """P(click | looked at) of each (item, concept) at each moment: position 1 is the reference."""
        pair = fit(self.catalogue, self.concepts, item, concept)
        return self.clicks.probability(self.concepts, pair, item, concept, self.taste(item, at))

    def p_purchase(self, item: Ints, concept: Ints) -> Floats:
        """P(purchase | click) of each (item, concept)."""
        pair = fit(self.catalogue, self.concepts, item, concept)
        return self.purchases.probability(self.catalogue, self.concepts, pair, item, concept)

    def daily_budgets(self) -> Ints:
        """Per campaign, minor units: what it spends on a mean day, times the room it leaves."""
        concept, bidder = np.nonzero(self.auction.item >= 0)
        item, campaign = self.auction.item[concept, bidder], self.auction.campaign[concept, bidder]
        at = np.full(len(item), self.plan.until_ms)
        shown = self.auction.p_shown(item, concept, self.auction.weight[concept, bidder], at, self.stock)
        clicks = self.searches_per_day()[concept] * shown * self.p_click(item, concept, at)
        spend = np.bincount(campaign, clicks * self.campaigns.bid[campaign], minlength=len(self.campaigns))
        return np.maximum(100, np.round(spend * np.maximum(1.0, self.appetite))).astype(np.int64)

    def searches_per_day(self) -> Floats:
        """Searches of each concept on a mean day."""
        days = (self.plan.until_ms - self.plan.start_ms) / DAY_MS
        return np.asarray(self.concepts.weight * self.plan.searches / days)


def build(plan: Plan, catalogue: Catalogue | None = None, progress: Callable[[str], None] | None = None) -> Market:
    """Build the market of `plan`, on the built-in shelves or around `catalogue`. `progress` is told each step."""
    tell = progress or (lambda step: None)

    def rng(purpose: str) -> np.random.Generator:
        return _generator(plan.seed, purpose)

    start, until = plan.start_ms, plan.until_ms
    tell("products")
    goods = catalogue or make_catalogue(rng("catalogue"), plan.products, start, until)
    tell("keywords")
    concepts = make_concepts(rng("concepts"), goods, max(50, int(plan.keywords / TEXTS_PER_CONCEPT)))
    keywords = make_keywords(rng("keywords"), concepts, plan.keywords)
    stock = make_stock(rng("stock"), goods, start, until)
    clicks, purchases = make_clicks(rng("clicks"), goods), make_purchases(rng("purchases"), goods)
    demand = make_demand(rng("demand"), goods, concepts, start, until)
    organic = rank_organic(goods, concepts, clicks, purchases)
    tell("campaigns")
    wanted = plan.campaigns or max(1, min(MOST_CAMPAIGNS, len(goods) // 2))
    campaigns = open_campaigns(rng("campaigns"), goods, concepts, keywords, wanted, start, until)
    appetite = np.exp(rng("budgets").normal(0.5, 0.7, len(campaigns)))
    pace = np.minimum(1.0, appetite)
    auction = hold_auction(goods, concepts, campaigns, pace)
    return Market(
        plan, goods, concepts, keywords, stock, clicks, purchases, demand, organic, campaigns, appetite, pace, auction
    )


def with_searches(market: Market, searches: int, warm_up_searches: int = 0) -> Market:
    """The same market with another volume of searches: all probabilities stay as they are."""
    return replace(market, plan=replace(market.plan, searches=searches, warm_up_searches=warm_up_searches))


def campaign_weight(market: Market, item: Ints, campaign: Ints, concept: Ints) -> Floats:
    """Weight that each (item, concept) has in the auction at its campaign's usual bid, pace and ad rate."""
    relevance = fit(market.catalogue, market.concepts, item, concept).relevance
    bid = market.campaigns.bid[campaign] * market.pace[campaign]
    return bid_weight(bid, market.campaigns.ad_rate[campaign], market.catalogue.price[item], relevance)


def _generator(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])
