"""A sudden demand for one keyword."""

from __future__ import annotations

import numpy as np
import pytest

from streams.simulator.history import events_per_search
from streams.simulator.market import Market
from streams.simulator.sellers import NEVER_MS
from streams.simulator.shock import WrongShock, choose, parse_shock
from streams.simulator.truth import promoted_values
from tests.market import make_market

RATE = 1_000


def test_a_keyword_in_any_spelling_means_its_concept(small_market: Market) -> None:
    keywords = small_market.keywords
    place = int(np.flatnonzero(np.bincount(keywords.concept) > 1)[0])
    for text in np.array(keywords.text)[keywords.concept == place].tolist():
        shock = parse_shock(f"{text.upper()}:2.5x@7.5s", small_market, RATE)
        assert (shock.concept, shock.factor, shock.at_s) == (place, 2.5, 7.5)
        assert shock.keyword == small_market.concepts.text[place]


@pytest.mark.parametrize("text", ["rain boots", "rain boots:8@60s", "rain boots:8x@60", ":8x@60s", "rain boots:x@s"])
def test_another_form_is_refused_with_an_example(small_market: Market, text: str) -> None:
    with pytest.raises(WrongShock, match="rain boots:8x@60s"):
        parse_shock(text, small_market, RATE)


def test_a_keyword_that_nobody_types_is_refused_with_near_ones(small_market: Market) -> None:
    with pytest.raises(WrongShock, match=r"near it: .*rain boots"):
        parse_shock("rain bootz:8x@60s", small_market, RATE)


def test_auto_chooses_a_keyword_that_campaigns_lack_and_could_use(small_market: Market) -> None:
    concept = choose(small_market, 8.0, rate=10)
    assert small_market.concepts.shelf[concept] >= 0
    assert 0.001 < share(small_market, concept) < 0.011
    assert parse_shock("auto:8x@60s", small_market, 10).keyword == small_market.concepts.text[concept]


def test_auto_prefers_a_keyword_whose_surge_shows_within_seconds() -> None:
    market = make_market(seed=6, events=400_000, days=8)  # one that has such a keyword
    searches_per_s = RATE / events_per_search(market)
    seldom, often = choose(market, 8.0, rate=10), choose(market, 8.0, RATE)
    assert share(market, seldom) * searches_per_s < 0.5 <= share(market, often) * searches_per_s
    running = (market.campaigns.ends == NEVER_MS) & ~market.campaigns.paused
    without = {
        number
        for number, choices in enumerate(market.campaigns.choices)
        if running[number] and often not in {choice.concept for choice in choices}
    }
    _, concept, campaign, value = promoted_values(market)
    assert len(set(campaign[(concept == often) & (value > 0)].tolist()) & without) >= 3


def share(market: Market, concept: int) -> float:
    """The concept's share of all searches as a live run begins."""
    intensity = market.demand.intensity(np.array([market.plan.until_ms]))[0]
    return float(intensity[concept] / intensity.sum())
