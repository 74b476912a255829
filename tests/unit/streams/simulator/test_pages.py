"""Shoppers do what the known probabilities say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streams.simulator.examination import examination
from streams.simulator.market import Market
from streams.simulator.pages import PAGE, Pages, search, show


@pytest.fixture(scope="module")
def pages(small_market: Market) -> Pages:
    rng = np.random.default_rng(8)
    count = 60_000
    at = np.sort(rng.integers(small_market.plan.start_ms, small_market.plan.until_ms, count))
    concept = rng.choice(len(small_market.concepts), count, p=small_market.concepts.weight)
    return show(rng, small_market, search(rng, small_market, at, concept))


def test_clicks_follow_from_examination_and_p_click(small_market: Market, pages: Pages) -> None:
    shown, searches = pages.impressions, pages.searches
    human = ~searches.bot[shown.search]
    concept, at = searches.concept[shown.search], searches.time[shown.search]
    expected = examination(shown.position) * small_market.p_click(shown.item, concept, at)
    clicked = ~searches.bot[pages.clicks.search]
    for position in range(1, PAGE + 1):
        here = human & (shown.position == position)
        observed = int((clicked & (pages.clicks.position == position)).sum())
        assert abs(observed - expected[here].sum()) < 5 * np.sqrt(expected[here].sum())


def test_purchases_follow_from_p_purchase_and_bots_buy_nothing(small_market: Market, pages: Pages) -> None:
    clicks, searches = pages.clicks, pages.searches
    human = ~searches.bot[clicks.search]
    expected = small_market.p_purchase(clicks.item, searches.concept[clicks.search])[human].sum()
    assert abs(len(pages.purchases.item) - expected) < 5 * np.sqrt(expected)
    assert not searches.bot[pages.purchases.search].any()
    assert searches.bot[clicks.search].any()


def test_a_page_has_no_item_twice_and_only_items_on_sale(small_market: Market, pages: Pages) -> None:
    ordered = np.sort(pages.results, axis=1)
    assert not ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()
    shown = pages.impressions
    assert small_market.stock.on_sale(shown.item, pages.searches.time[shown.search]).all()
    assert not small_market.stock.on_sale(np.arange(500), np.full(500, small_market.plan.start_ms)).all()


def test_the_page_lists_what_was_shown_where(pages: Pages) -> None:
    shown = pages.impressions
    assert (pages.results[shown.search, shown.position - 1] == shown.item).all()


def test_one_page_in_a_hundred_is_shuffled_so_that_position_says_nothing_of_the_item(
    small_market: Market, pages: Pages
) -> None:
    shown = pages.impressions
    assert 0.006 < len(np.unique(shown.search[shown.shuffled])) / len(pages.searches) < 0.014

    def gain(rows: np.ndarray) -> float:
        """How much more attractive the items of the organic first place are than those of the fifth."""
        concept, at = pages.searches.concept[shown.search[rows]], pages.searches.time[shown.search[rows]]
        p_click = small_market.p_click(shown.item[rows], concept, at)
        position = shown.position[rows]
        return float(p_click[position <= 2].mean() / p_click[position >= 5].mean())

    assert gain(~shown.shuffled) > 1.2
    assert abs(gain(shown.shuffled) - 1) < 0.2


def test_sponsored_results_carry_campaign_and_keyword_organic_ones_what_was_typed(
    small_market: Market, pages: Pages
) -> None:
    shown = pages.impressions
    organic = shown.campaign < 0
    assert (shown.text[organic] == pages.searches.text[shown.search[organic]]).all()
    for row in np.flatnonzero(~organic)[:2_000].tolist():
        campaign = int(shown.campaign[row])
        assert shown.item[row] in small_market.campaigns.items[campaign]
        assert shown.text[row] in [choice.text for choice in small_market.campaigns.choices[campaign]]


def test_things_happen_in_order(pages: Pages) -> None:
    assert (pages.impressions.time > pages.searches.time[pages.impressions.search]).all()
    delay = pages.purchases.time - pages.searches.time[pages.purchases.search]
    assert (delay > 0).all()
    assert 5 * 60_000 < np.median(delay) < 30 * 60_000


def test_haste_brings_purchases_sooner(small_market: Market, rng: np.random.Generator) -> None:
    at = np.full(4_000, small_market.plan.until_ms)
    concept = rng.choice(len(small_market.concepts), 4_000, p=small_market.concepts.weight)
    searches = search(rng, small_market, at, concept)
    soon = show(rng, small_market, searches, haste=60)
    assert np.median(soon.purchases.time - at[soon.purchases.search]) < 60_000


def test_junk_brings_an_empty_page(small_market: Market, rng: np.random.Generator) -> None:
    junk = np.flatnonzero(small_market.concepts.shelf < 0)
    pages = show(rng, small_market, search(rng, small_market, np.full(len(junk), small_market.plan.until_ms), junk))
    assert (pages.results == -1).all()
    assert not len(pages.impressions.item)


def test_curious_keywords_draw_clicks_and_hardly_a_purchase(small_market: Market) -> None:
    concepts = small_market.concepts
    assert concepts.curious.sum() > 20
    assert concepts.buying[concepts.curious].max() < 0.2
    calm = replace(concepts, lure=np.zeros(len(concepts)))
    assert concepts.lure[concepts.curious].mean() > calm.lure.mean()
