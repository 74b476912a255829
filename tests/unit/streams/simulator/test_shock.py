"""A sudden demand for one keyword."""

from __future__ import annotations

import numpy as np
import pytest

from streams.simulator.market import Market
from streams.simulator.shock import WrongShock, choose, parse_shock


def test_a_keyword_in_any_spelling_means_its_concept(small_market: Market) -> None:
    keywords = small_market.keywords
    place = int(np.flatnonzero(np.bincount(keywords.concept) > 1)[0])
    for text in np.array(keywords.text)[keywords.concept == place].tolist():
        shock = parse_shock(f"{text.upper()}:2.5x@7.5s", small_market)
        assert (shock.concept, shock.factor, shock.at_s) == (place, 2.5, 7.5)


@pytest.mark.parametrize("text", ["rain boots", "rain boots:8@60s", "rain boots:8x@60", ":8x@60s", "rain boots:x@s"])
def test_another_form_is_refused_with_an_example(small_market: Market, text: str) -> None:
    with pytest.raises(WrongShock, match="rain boots:8x@60s"):
        parse_shock(text, small_market)


def test_a_keyword_that_nobody_types_is_refused_with_near_ones(small_market: Market) -> None:
    with pytest.raises(WrongShock, match=r"near it: .*rain boots"):
        parse_shock("rain bootz:8x@60s", small_market)


def test_auto_chooses_a_keyword_that_campaigns_lack_and_could_use(small_market: Market) -> None:
    concept = choose(small_market, 8.0)
    assert small_market.concepts.shelf[concept] >= 0
    assert 0.001 < small_market.concepts.weight[concept] < 0.007
    assert parse_shock("auto:8x@60s", small_market).keyword == small_market.concepts.text[concept]
