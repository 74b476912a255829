"""Sellers, their campaigns, and the states that are told of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from streams.contracts.messages import CampaignState, ProductState
from streams.simulator.market import Market
from streams.simulator.relevance import fit
from streams.simulator.states import campaign_states, write_states


def test_an_item_is_promoted_once_and_by_its_own_seller(small_market: Market) -> None:
    promoted = np.concatenate(small_market.campaigns.items)
    assert len(promoted) == len(set(promoted.tolist()))
    for seller, items in zip(small_market.campaigns.seller, small_market.campaigns.items, strict=True):
        assert {small_market.catalogue.products[item].seller for item in items} == {seller}


def test_many_choose_badly(small_market: Market) -> None:
    relevances = []
    for items, choices in zip(small_market.campaigns.items, small_market.campaigns.choices, strict=True):
        concept = np.array([choice.concept for choice in choices if choice.concept >= 0])
        pair = fit(small_market.catalogue, small_market.concepts, items[:, None], concept[None, :])
        relevances.append(pair.relevance.mean())
    assert np.mean(np.array(relevances) < 0.4) > 0.2
    assert np.mean(np.array(relevances) > 0.7) > 0.1


def test_some_phrases_are_one_sellers_own(small_market: Market) -> None:
    own = small_market.campaigns.texts[len(small_market.keywords) :]
    assert own
    assert not set(own) & set(small_market.keywords.text)
    users = [choice.text for choices in small_market.campaigns.choices for choice in choices if choice.concept < 0]
    assert len(users) == len(set(users)) == len(own)


def test_states_are_valid_messages(small_market: Market, tmp_path: Path) -> None:
    write_states(small_market, tmp_path)
    lines = (tmp_path / "campaigns.jsonl").read_bytes().splitlines()
    campaigns = [msgspec.json.decode(line, type=CampaignState) for line in lines]
    assert campaigns == campaign_states(small_market)
    assert {campaign.status for campaign in campaigns} >= {"active", "ended"}
    until, start = small_market.plan.until_ms, small_market.plan.start_ms
    assert all(campaign.starts_at <= until for campaign in campaigns)
    assert any(campaign.starts_at > start for campaign in campaigns)
    products = [
        msgspec.json.decode(line, type=ProductState) for line in (tmp_path / "products.jsonl").read_bytes().splitlines()
    ]
    assert products == small_market.catalogue.products
    assert {campaign.category for campaign in campaigns} <= {product.category for product in products}
