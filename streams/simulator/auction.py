"""Who gets the two sponsored places of a page: bid, ad rate, relevance and budget, with a closed form for the truth.

An entry's score is (bid x pace + ad rate x price x usual conversion) x relevance. Places are drawn without replacement
in proportion to score ** SHARPNESS (Plackett-Luce), the platform's reserve taking part as a bidder that ends the
drawing. So P(shown) is known exactly, and a search is drawn by adding Gumbel noise to log weights. A budget acts as a
factor `pace` on the campaign's bids (multiplicative pacing; Conitzer et al., Operations Research 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulator.catalogue import Catalogue, Floats, Ints
from streams.simulator.concepts import Concepts
from streams.simulator.examination import examination
from streams.simulator.matching import matches
from streams.simulator.relevance import RELEVANCE_FLOOR, fit
from streams.simulator.sellers import Campaigns
from streams.simulator.stock import Stock

AD_POSITIONS = (1, 4)
BIDDERS = 16
"""At most this many entries, the best by score, bid for one concept."""
SHARPNESS = 1.0
RESERVE = 12.0
"""The reserve's score, minor units."""
_USUAL_CONVERSION = 0.06


@dataclass(frozen=True)
class Auction:
    """Per concept up to BIDDERS entries; all fields are concepts x BIDDERS, `item` -1 where there is no entry."""

    item: Ints
    campaign: Ints
    text: Ints
    """The text of the keyword that matched."""
    weight: Floats
    starts: Ints
    ends: Ints

    def open(self, concept: Ints, at: Ints, stock: Stock) -> NDArray[np.bool_]:
        """n x BIDDERS: whether each entry of each search's concept bids at that moment."""
        when = at[:, None]
        item = self.item[concept]
        running = (item >= 0) & (self.starts[concept] <= when) & (when < self.ends[concept])
        return np.asarray(running & stock.on_sale(item, when))

    def draw(self, rng: np.random.Generator, concept: Ints, at: Ints, stock: Stock) -> Ints:
        """n x 2: the bidder (its column) in each sponsored place of each search, -1 for an empty one."""
        waits = rng.standard_exponential((len(concept), BIDDERS + 1), dtype=np.float32)
        noise = -np.log(np.maximum(waits, np.float32(1e-30)))  # a float32 may be drawn as 0
        score = np.where(self.open(concept, at, stock), self._log_weight[concept] + noise[:, :-1], -np.inf)
        least = SHARPNESS * np.log(RESERVE) + noise[:, -1]
        rows = np.arange(len(concept))
        places = np.full((len(concept), len(AD_POSITIONS)), -1, dtype=np.int64)
        for place in range(len(AD_POSITIONS)):
            best = score.argmax(axis=1)
            places[:, place] = np.where(score[rows, best] > least, best, -1)
            score[rows, best] = -np.inf
        return places

    @property
    def _log_weight(self) -> NDArray[np.float32]:
        with np.errstate(divide="ignore"):
            return np.log(self.weight).astype(np.float32)

    def p_shown(self, item: Ints, concept: Ints, weight: Floats, at: Ints, stock: Stock) -> Floats:
        """P(item is shown on a search of concept) if it bids with `weight`, each place weighted by its examination.

        Other entries of the same item don't count as rivals: it would not bid against itself. Where BIDDERS other items
        bid, the weakest of them makes room, or the item is not shown at all if it weighs no more.
        """
        others = (self.item[concept] >= 0) & (self.item[concept] != item[:, None])
        full = others.all(axis=1)
        weakest = np.where(full, self.weight[concept, -1], 0.0)
        others[full, -1] = False
        rivals = self.open(concept, at, stock) & others
        rival = np.where(rivals, self.weight[concept], 0.0)
        total = rival.sum(axis=1) + weight + RESERVE**SHARPNESS
        first = weight / total
        second = first * (rival / (total[:, None] - rival)).sum(axis=1)
        seen = examination(np.array(AD_POSITIONS))
        takes_part = stock.on_sale(item, at) & (weight > weakest)
        return np.asarray(np.where(takes_part, first * seen[0] + second * seen[1], 0.0))


def bid_weight(bid: Floats, ad_rate: Floats, price: Floats, relevance: Floats) -> Floats:
    """Weight in the drawing; 0 below the relevance floor. `bid` is already paced."""
    score = (bid + ad_rate * price * _USUAL_CONVERSION) * relevance
    return np.asarray(np.where(relevance >= RELEVANCE_FLOOR, score**SHARPNESS, 0.0))


@dataclass(frozen=True)
class Entries:
    """Columns of all that bid: an item of a campaign under a concept that one of its keywords matches."""

    concept: Ints
    item: Ints
    campaign: Ints
    text: Ints
    weight: Floats

    def joined(self, more: Entries) -> Entries:
        """These and then the others."""
        return Entries(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(more).values(), strict=True)))

    def chosen(self, mask: NDArray[np.bool_]) -> Entries:
        """Those that the mask chooses."""
        return Entries(self.concept[mask], self.item[mask], self.campaign[mask], self.text[mask], self.weight[mask])


def hold_auction(catalogue: Catalogue, concepts: Concepts, campaigns: Campaigns, pace: Floats) -> Auction:
    """All entries: each campaign's items under each concept that its keywords match, by the best keyword of several."""
    return arrange(entries(catalogue, concepts, campaigns, pace), len(concepts), len(catalogue), campaigns)


def entries(catalogue: Catalogue, concepts: Concepts, campaigns: Campaigns, pace: Floats) -> Entries:
    """What the campaigns' keywords match."""
    columns = []
    for campaign, choices in enumerate(campaigns.choices):
        if campaigns.paused[campaign]:
            continue
        items = campaigns.items[campaign]
        for choice in choices:
            if choice.concept < 0:
                continue
            near = np.flatnonzero(concepts.shelf == concepts.shelf[choice.concept])
            matched = near[matches(choice.match_type, choice.concept, near, concepts)]
            item, concept = (grid.ravel() for grid in np.meshgrid(items, matched, indexing="ij"))
            relevance = fit(catalogue, concepts, item, concept).relevance
            bid = np.full(len(item), choice.bid * pace[campaign])
            weight = bid_weight(bid, np.full(len(item), campaigns.ad_rate[campaign]), catalogue.price[item], relevance)
            same = np.full(len(item), campaign)
            columns.append(np.stack([concept, item, same, np.full(len(item), choice.text), weight]))
    concept, item, campaign_of, text, weight = np.concatenate(columns, axis=1)
    return Entries(
        concept.astype(np.int64), item.astype(np.int64), campaign_of.astype(np.int64), text.astype(np.int64), weight
    )


def arrange(bidding: Entries, concepts: int, items: int, campaigns: Campaigns) -> Auction:
    """The best BIDDERS entries of each concept, an item by its best entry."""
    order = np.lexsort((-bidding.weight, bidding.concept))
    order = order[bidding.weight[order] > 0]
    pair = bidding.concept[order] * items + bidding.item[order]
    order = order[np.sort(np.unique(pair, return_index=True)[1])]
    rank = _rank_in_group(bidding.concept[order])
    order, rank = order[rank < BIDDERS], rank[rank < BIDDERS]
    at = (bidding.concept[order], rank)
    shape = (concepts, BIDDERS)
    table = {name: np.full(shape, -1, dtype=np.int64) for name in ("item", "campaign", "text")}
    for name, column in (("item", bidding.item), ("campaign", bidding.campaign), ("text", bidding.text)):
        table[name][at] = column[order]
    weights = np.zeros(shape)
    weights[at] = bidding.weight[order]
    return Auction(
        table["item"],
        table["campaign"],
        table["text"],
        weights,
        campaigns.starts[table["campaign"]],
        campaigns.ends[table["campaign"]],
    )


def _rank_in_group(group: Ints) -> Ints:
    """0, 1, 2, ... within each run of equal values."""
    begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    sizes = np.diff(np.r_[begins, len(group)])
    return np.asarray(np.arange(len(group)) - np.repeat(begins, sizes))
