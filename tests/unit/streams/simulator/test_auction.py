"""The auction's closed form against its own drawing, and what moves it."""

from __future__ import annotations

import numpy as np

from streams.simulator.auction import AD_POSITIONS, BIDDERS, Entries, arrange, bid_weight, entries
from streams.simulator.examination import examination
from streams.simulator.market import Market

SEEN = examination(np.array(AD_POSITIONS))


def busiest(market: Market) -> int:
    return int(np.argmax((market.auction.item >= 0).sum(axis=1)))


def test_the_share_of_searches_won_is_the_published_probability(small_market: Market, rng: np.random.Generator) -> None:
    auction, stock, until = small_market.auction, small_market.stock, small_market.plan.until_ms
    concept = busiest(small_market)
    draws = 60_000
    won = auction.draw(rng, np.full(draws, concept), np.full(draws, until), stock)
    open_ = auction.open(np.array([concept]), np.array([until]), stock)[0]
    assert open_.sum() >= 5
    for column in np.flatnonzero(open_).tolist():
        shown = sum(SEEN[place] * np.mean(won[:, place] == column) for place in range(len(AD_POSITIONS)))
        item = auction.item[concept, [column]]
        weight = auction.weight[concept, [column]]
        expected = auction.p_shown(item, np.array([concept]), weight, np.array([until]), stock)[0]
        assert abs(shown - expected) < 4 * np.sqrt(expected / draws) + 1e-3
    assert not np.isin(won, np.flatnonzero(~open_)).any()


def test_who_does_not_bid_yet_would_be_shown_as_often_as_if_it_did(small_market: Market) -> None:
    market, until = small_market, np.array([small_market.plan.until_ms])
    bidding = entries(market.catalogue, market.concepts, market.campaigns, market.pace)
    full = np.flatnonzero((market.auction.item >= 0).all(axis=1))
    assert len(full) >= 5
    for concept in full[:5]:
        outsider = np.setdiff1d(np.arange(len(market.catalogue)), market.auction.item[concept])[:1]
        outsider = outsider[market.stock.on_sale(outsider, until)]
        weights = market.auction.weight[concept]
        for weight in (weights[-1] * 0.9, weights[-1], weights[-1] * 1.1, weights[0] * 2):
            offer = np.full(len(outsider), weight)
            added = Entries(
                np.full(len(outsider), concept), outsider, *([np.zeros(len(outsider), np.int64)] * 2), offer
            )
            held = arrange(bidding.joined(added), len(market.concepts), len(market.catalogue), market.campaigns)
            asked = outsider, np.full(len(outsider), concept), offer, until[: len(outsider)], market.stock
            found = market.auction.p_shown(*asked)
            if np.isin(outsider, held.item[concept]).all():
                np.testing.assert_allclose(found, held.p_shown(*asked))
            else:
                assert weight <= weights[-1]
                assert (found == 0).all()


def test_no_page_shows_one_bidder_twice(small_market: Market, rng: np.random.Generator) -> None:
    concept = np.full(5_000, busiest(small_market))
    won = small_market.auction.draw(rng, concept, np.full(5_000, small_market.plan.until_ms), small_market.stock)
    assert ((won[:, 0] != won[:, 1]) | (won[:, 0] < 0)).all()


def test_bid_ad_rate_and_relevance_raise_the_weight_and_irrelevance_ends_it() -> None:
    def weight(bid: float = 50, ad_rate: float = 0.0, relevance: float = 0.6) -> float:
        return float(bid_weight(*(np.array([value]) for value in (bid, ad_rate, 5_000.0, relevance)))[0])

    assert weight(bid=100) > weight()
    assert weight(ad_rate=0.1) > weight()
    assert weight(relevance=1.0) > weight()
    assert weight(relevance=0.0225) == 0


def test_a_paused_campaign_and_one_not_yet_begun_win_nothing(small_market: Market, rng: np.random.Generator) -> None:
    auction, campaigns = small_market.auction, small_market.campaigns
    assert not np.isin(auction.campaign, np.flatnonzero(campaigns.paused)).any()
    concept = np.repeat(np.flatnonzero((auction.item >= 0).any(axis=1)), 20)
    start = np.full(len(concept), small_market.plan.start_ms)
    won = auction.draw(rng, concept, start, small_market.stock)
    winners = auction.campaign[concept[:, None], won][won >= 0]
    assert (campaigns.starts[winners] <= small_market.plan.start_ms).all()


def test_a_tight_budget_lowers_the_bids(small_market: Market) -> None:
    tight = small_market.appetite < 1
    assert tight.any()
    assert (small_market.pace[tight] < 1).all()
    assert (small_market.pace[~tight] == 1).all()
    assert (small_market.daily_budgets() > 0).all()
    assert small_market.auction.item.shape[1] == BIDDERS
