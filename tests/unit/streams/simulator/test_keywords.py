"""Keywords as people write them, each with its true canonical form."""

from __future__ import annotations

import numpy as np

from streams.simulator.market import Market
from streams.simulator.spelling import variant

DEFAULT_KEYWORDS = 12_000


def test_every_text_stands_for_one_concept_and_the_canonical_text_comes_first(small_market: Market) -> None:
    keywords, concepts = small_market.keywords, small_market.concepts
    assert len(set(keywords.text)) == len(keywords) == small_market.plan.keywords
    assert [keywords.text[place] for place in keywords.first.tolist()] == concepts.text


def test_no_two_concepts_have_the_same_words(small_market: Market) -> None:
    words = {frozenset(word.rstrip("s") for word in text.split()) for text in small_market.concepts.text}
    assert len(words) == len(small_market.concepts)


def test_half_of_the_searches_of_a_concept_are_typed_in_its_canonical_form(
    small_market: Market, rng: np.random.Generator
) -> None:
    keywords = small_market.keywords
    written = np.bincount(keywords.concept)
    concept = int(np.argmax(written))
    typed = keywords.typed(rng, np.full(20_000, concept))
    assert set(keywords.concept[typed]) == {concept}
    assert abs(np.mean(typed == keywords.first[concept]) - 0.5) < 0.02
    assert len(np.unique(typed)) == written[concept]


def test_a_concept_that_is_written_in_one_way_is_typed_in_that_way(
    small_market: Market, rng: np.random.Generator
) -> None:
    keywords = small_market.keywords
    single = np.flatnonzero(np.bincount(keywords.concept) == 1)
    assert (keywords.typed(rng, single) == keywords.first[single]).all()


def test_variants_show_every_habit_of_writing(rng: np.random.Generator) -> None:
    text = "blue backpack 20 l"
    written = {variant(rng, text) for _ in range(2_000)}
    assert {"blue backpack 20l", "BLUE BACKPACK 20 L", "Blue Backpack 20 L", "20 l blue backpack"} <= written
    assert "blue backpack 20 l near me" in written
    assert "buy blue backpack 20 l" in written
    assert any("bakcpack" in way or "backpck" in way or "bbackpack" in way or "baackpack" in way for way in written)
    assert any("backpacks" in way for way in written)
    assert any(" with " in way or " in " in way or way.startswith("the ") for way in written)
    assert all(0 < len(way) <= 200 for way in written)


def test_a_word_too_short_for_any_habit_stays(rng: np.random.Generator) -> None:
    assert "xx" in {variant(rng, "xx") for _ in range(50)}
