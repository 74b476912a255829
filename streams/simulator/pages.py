"""Shoppers search, see a page, click and buy: many searches at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulator.auction import AD_POSITIONS
from streams.simulator.catalogue import Floats, Ints
from streams.simulator.examination import examination
from streams.simulator.market import Market
from streams.simulator.organic import PLACES
from streams.simulator.purchases import delays

PAGE = PLACES + len(AD_POSITIONS)
SHUFFLED_SHARE = 0.01
BOT_SHARE = 0.015
_SHORTEST_LOOK = 4
"""A shopper sees 4 to PAGE results before leaving the page."""
_REGULARS = 2.0
"""Exponent by which some shoppers come often and most seldom."""


@dataclass(frozen=True)
class Searches:
    """n searches in order of time."""

    time: Ints
    concept: Ints
    text: Ints
    shopper: Ints
    """Bots are numbered from the market's count of shoppers on."""
    bot: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Shown:
    """Impressions, or clicks: `search` is the row of the search."""

    search: Ints
    time: Ints
    item: Ints
    campaign: Ints
    """-1 for organic."""
    text: Ints
    position: Ints
    shuffled: NDArray[np.bool_]


@dataclass(frozen=True)
class Bought:
    search: Ints
    time: Ints
    item: Ints
    quantity: Ints


@dataclass(frozen=True)
class Pages:
    searches: Searches
    results: Ints
    """n x PAGE items in the order shown, -1 after the last."""
    impressions: Shown
    clicks: Shown
    purchases: Bought


def search(rng: np.random.Generator, market: Market, time: Ints, concept: Ints) -> Searches:
    """Who searches, and what they type."""
    count, shoppers = len(time), market.shoppers
    bot = rng.random(count) < BOT_SHARE
    person = (shoppers * rng.random(count) ** _REGULARS).astype(np.int64)
    machine = shoppers + rng.integers(0, max(2, shoppers // 1_000), count)
    return Searches(time, concept, market.keywords.typed(rng, concept), np.where(bot, machine, person), bot)


def show(rng: np.random.Generator, market: Market, searches: Searches, haste: float | Floats = 1.0) -> Pages:
    """The pages that answer `searches`, and what the shoppers do with them.

    `haste`, one for all or one a search, divides the delay from click to purchase, for live runs that last minutes.
    """
    concept, at = searches.concept, searches.time
    rows = np.arange(len(searches))
    bidder = market.auction.draw(rng, concept, at, market.stock)
    promoted = np.where(bidder >= 0, market.auction.item[concept[:, None], bidder], -1)
    ranked = market.organic.draw(rng, concept, at, promoted, market.stock)
    results = np.empty((len(searches), PAGE), dtype=np.int64)
    source = np.full_like(results, -1)  # the bidder's column, -1 for organic
    ad_columns = [position - 1 for position in AD_POSITIONS]
    results[:, ad_columns], source[:, ad_columns] = promoted, bidder
    results[:, [column for column in range(PAGE) if column not in ad_columns]] = ranked
    shuffled = rng.random(len(searches)) < SHUFFLED_SHARE
    rank = np.where(shuffled[:, None], rng.random(results.shape), np.arange(PAGE)) + PAGE * (results < 0)
    order = np.argsort(rank, axis=1, kind="stable")  # empty places close up
    results, source = np.take_along_axis(results, order, axis=1), np.take_along_axis(source, order, axis=1)

    look = rng.integers(_SHORTEST_LOOK, PAGE + 1, len(searches))
    row, column = np.nonzero((results >= 0) & (np.arange(PAGE) < look[:, None]))
    item, asked, by = results[row, column], concept[row], source[row, column]
    campaign = np.where(by >= 0, market.auction.campaign[asked, by], -1)
    text = np.where(by >= 0, market.auction.text[asked, by], searches.text[row])
    time = at[row] + rng.integers(20, 1_500, len(searches))[row]
    impressions = Shown(row, time, item, campaign, text, column + 1, shuffled[row])

    p_click = examination(column + 1) * market.p_click(item, asked, at[row])
    p_click = np.where(searches.bot[row], (rng.random(len(rows)) < 0.1)[row] * 0.9, p_click)
    clicked = np.flatnonzero(rng.random(len(row)) < p_click)
    wait = 800 + rng.exponential(5_000, len(clicked)).astype(np.int64) + 700 * column[clicked]
    clicks = Shown(
        row[clicked],
        time[clicked] + wait,
        item[clicked],
        campaign[clicked],
        text[clicked],
        column[clicked] + 1,
        shuffled[row[clicked]],
    )

    p_purchase = market.p_purchase(clicks.item, concept[clicks.search]) * ~searches.bot[clicks.search]
    bought = np.flatnonzero(rng.random(len(clicked)) < p_purchase)
    hasty = np.broadcast_to(haste, len(searches))[clicks.search[bought]]
    delay = (delays(rng, len(bought)) / hasty).astype(np.int64) + 500
    quantity = 1 + np.minimum(rng.geometric(0.85, len(bought)) - 1, 5)
    purchases = Bought(clicks.search[bought], clicks.time[bought] + delay, clicks.item[bought], quantity)
    return Pages(searches, results, impressions, clicks, purchases)
