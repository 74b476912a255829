"""The truth is what the market really does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from streams.simulator.history import happened
from streams.simulator.market import Market
from streams.simulator.pages import BOT_SHARE
from streams.simulator.sellers import NEVER_MS
from streams.simulator.truth import Forecast, campaign_id, keywords_truth, truth
from tests.market import make_market


@pytest.fixture(scope="module")
def table(small_market: Market) -> pl.DataFrame:
    return truth(small_market)


def test_value_is_the_product_of_its_published_factors(table: pl.DataFrame) -> None:
    for suffix in ("", "_at_start"):
        promoted = table.filter(pl.col("campaign").is_not_null())
        factors = (promoted[f"{name}{suffix}"] for name in ("searches_7d", "p_shown", "p_click"))
        product = promoted["p_purchase"].to_numpy() * np.prod([factor.to_numpy() for factor in factors], axis=0)
        assert np.allclose(promoted[f"expected_purchases{suffix}"].to_numpy(), product)


def test_probabilities_are_probabilities_and_an_organic_item_has_no_value(table: pl.DataFrame) -> None:
    for name in ("p_shown", "p_click", "p_purchase", "p_shown_at_start", "p_click_at_start"):
        assert table[name].drop_nulls().is_between(0, 1).all()
    organic = table.filter(pl.col("campaign").is_null())
    assert organic.height > 0
    assert organic["expected_purchases"].null_count() == organic.height
    assert table.select("item", "canonical").is_unique().all()


def test_every_pair_that_was_ever_shown_is_in_the_truth(small_market: Market, table: pl.DataFrame) -> None:
    known = set(table.select("item", "canonical").iter_rows())
    ids = [product.item for product in small_market.catalogue.products]
    for _, pages in happened(small_market):
        concept = pages.searches.concept[pages.impressions.search]
        pairs = zip(pages.impressions.item.tolist(), concept.tolist(), strict=True)
        shown = {(ids[item], small_market.concepts.text[asked]) for item, asked in pairs}
        assert shown <= known


def test_searches_of_a_week_are_those_that_a_week_brings() -> None:
    market = make_market(seed=4, events=400_000, days=7, products=300, campaigns=40, keywords=1_200)
    market = replace(market, demand=replace(market.demand, surges=[]))
    count = np.zeros(len(market.concepts))
    for _, pages in happened(market):
        count += np.bincount(pages.searches.concept, minlength=len(count))
    concept = np.arange(len(count))
    expected = Forecast(market).searches(concept, np.full(len(count), market.plan.start_ms))
    assert abs(expected.sum() / count.sum() - 1) < 0.01
    frequent = expected > 200
    assert np.allclose(count[frequent], expected[frequent], rtol=0.25)


def test_campaign_purchases_of_a_week_are_those_that_the_factors_foretell() -> None:
    """Summed over all pairs in the auction, with campaigns, stock, seasons and tastes held still."""
    market = standing_still(make_market(seed=6, events=1_500_000, days=7, products=200, campaigns=60, keywords=600))
    auction, start = market.auction, market.plan.start_ms
    concept, column = np.nonzero(auction.item >= 0)
    item, at = auction.item[concept, column], np.full(len(concept), start)
    shown = auction.p_shown(item, concept, auction.weight[concept, column], at, market.stock)
    value = Forecast(market).searches(concept, at) * shown
    value = value * market.p_click(item, concept, at) * market.p_purchase(item, concept)
    bought = 0
    for _, pages in happened(market):
        sponsored = pages.clicks.campaign >= 0
        order_of = {(search, thing) for search, thing in zip(pages.purchases.search, pages.purchases.item, strict=True)}
        of_ads = zip(pages.clicks.search[sponsored], pages.clicks.item[sponsored], strict=True)
        bought += len(order_of & set(of_ads))
    expected = float(value.sum()) * (1 - BOT_SHARE)
    assert expected > 300
    assert abs(bought - expected) < 4 * np.sqrt(expected)


def standing_still(market: Market) -> Market:
    concepts = len(market.concepts)
    demand = replace(market.demand, surges=[], season=np.zeros(concepts), swing=np.zeros(concepts))
    demand = replace(demand, taste_swing=np.zeros_like(demand.taste_swing))
    stock = replace(market.stock, listed=np.zeros_like(market.stock.listed), gone=market.stock.back)
    auction = replace(market.auction, starts=np.zeros_like(market.auction.starts))
    auction = replace(auction, ends=np.full_like(auction.ends, NEVER_MS))
    return replace(market, demand=demand, stock=stock, auction=auction)


def test_a_campaign_begun_before_the_history_is_judged_at_the_histories_start(
    small_market: Market, table: pl.DataFrame
) -> None:
    early = int(np.argmin(small_market.campaigns.starts))
    rows = table.filter(pl.col("campaign") == campaign_id(early)).head(50)
    concept = np.array([small_market.concepts.text.index(text) for text in rows["canonical"]])
    start = np.full(len(concept), small_market.plan.start_ms)
    assert np.allclose(rows["searches_7d_at_start"], Forecast(small_market).searches(concept, start))


def test_keywords_truth_knows_every_text_that_events_can_hold(small_market: Market) -> None:
    known = keywords_truth(small_market)
    assert known["text"].to_list() == small_market.campaigns.texts
    assert known["text"].is_unique().all()
    canonical = dict(known.iter_rows())
    for concept, first in enumerate(small_market.keywords.first.tolist()):
        assert canonical[small_market.keywords.text[first]] == small_market.concepts.text[concept]
