"""Product text, lexical match, sources, fusion and the candidates they make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from infra.clock import ManualClock
from infra.settings import DAY_MS, load
from scorers.keywords.table import Keyword
from scorers.retrieval.candidates import CandidateGenerator, ItemRequest
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.fusion import UNSAID, Found, fuse
from scorers.retrieval.lexical import LexicalIndex, text_terms
from scorers.retrieval.neighbours import ExactNeighbours
from scorers.retrieval.text import MAX_CHARACTERS, matching_text, product_text
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.messages import ProductState, Signal
from streams.normal_form import normal_form
from tests.unit.scorers.letters import LetterEncoder

NOW = 1_700_000_000_000


def product(title: str, item: str = "i1", category: str = "boots", **fields: object) -> ProductState:
    return ProductState(
        schema_version=1, item=item, seller="a", title=title, category=category, updated_at=NOW, **fields
    )


def keyword(text: str, category: str = "boots", shoppers: int = 5, **fields: object) -> Keyword:
    return Keyword(canonical=normal_form(text), text=text, category=category, shoppers=shoppers, **fields)


def searches(text: str, before: int, after: int) -> Signal:
    return Signal(f"keyword:{normal_form(text)}", "moved", metric="searches", window="1h", before=before, after=after)


TABLE = [
    keyword("rain boots"),
    keyword("hiking boots"),
    keyword("boots kids red"),
    keyword("desk lamp", category="lamps"),
    keyword("smith family reunion boots", shoppers=0, sellers=["b"]),
]


class Market:
    """A generator over a small table, and the index behind it, which may know more."""

    def __init__(
        self,
        extra: Sequence[Keyword] = (),
        pairs: Sequence[tuple[str, str, int, int]] = (),
        canonical: CanonicalForms = NORMAL,
    ) -> None:
        encoder, self.clock = LetterEncoder(), ManualClock(NOW)
        catalogue = KeywordCatalogue(TABLE, encoder.encode([one.text for one in TABLE]))
        whole = [*TABLE, *extra]
        self.indexed = KeywordCatalogue(whole, encoder.encode([one.text for one in whole]))
        self.generator = CandidateGenerator(
            load(), encoder, catalogue, ExactNeighbours(self.indexed, "v1"), self.clock, pairs, canonical=canonical
        )

    def found(self, request: ItemRequest) -> dict[str, set[str]]:
        (candidates,) = self.generator.for_items([request])
        return {one.keyword.text: set(one.found) for one in candidates}


# --- text and lexical match --------------------------------------------------------------------------------------


def test_product_text_says_each_thing_once() -> None:
    tidy = product("Acme Rain Boots", category_path=["Shoes", "Rain Boots"], brand="Acme")
    assert product_text(tidy) == "Acme Rain Boots"
    bare = product("<b>Wellies</b> &amp;  more", brand="Acme", category="unknown")
    assert product_text(bare) == "Wellies & more Acme"


@pytest.mark.parametrize("title", ["", "   ", "<br>" * 500, "é中文🥾", "x" * 10_000])
def test_any_title_gives_text(title: str) -> None:
    assert len(product_text(product(title))) <= MAX_CHARACTERS


def test_the_specification_is_matched() -> None:
    assert "waterproof" in matching_text(product("Boots", specification={"feature": "waterproof"}))


def test_words_decide_and_misspelt_words_are_near() -> None:
    canonicals = [normal_form(text) for text in ("rain boots", "desk lamp", "wireles hedphones", "headphones")]
    index = LexicalIndex(canonicals)
    assert index.best(text_terms("Red rain boots for women"), 2)[0][0] == 0
    found = [canonicals[row] for row, _ in index.best(text_terms("wireless headphones"), 3)]
    assert found[0] == normal_form("headphones")
    assert normal_form("wireles hedphones") in found
    assert index.best(text_terms(""), 3) == []
    assert LexicalIndex().best(text_terms("boots"), 3) == []


def test_coverage_is_the_share_of_the_keyword_that_the_text_holds() -> None:
    canonicals = [normal_form(text) for text in ("rain boots", "desk lamp", "rain coat")]
    index = LexicalIndex(canonicals)
    whole, none, half = index.coverage(text_terms("rain boots"), canonicals)
    assert whole == pytest.approx(1.0)
    assert none < 0.2 < half < 0.8


def test_the_index_grows() -> None:
    index = LexicalIndex(["boot"])
    index.best(text_terms("rain boots"), 1)
    index.add("boot rain")
    assert index.best(text_terms("rain boots"), 1)[0][0] == 1


# --- fusion ------------------------------------------------------------------------------------------------------


def test_fusion_adds_reciprocal_ranks_and_keeps_what_each_source_said() -> None:
    fused = fuse({"dense": [("a", 0.9), ("b", 0.8)], "other": [("b", 7.0), ("c", 6.0), ("b", 5.0)]})
    assert [one.canonical for one in fused] == ["b", "a", "c"]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[0].found == {"dense": Found(0.8, 2), "other": Found(7.0, 1)}
    assert fuse({"dense": [("a", 0.9)], "other": [("b", 7.0)]}, {"other": 2.0})[0].canonical == "b"


def test_a_keyword_is_worth_less_for_each_word_that_the_product_does_not_say() -> None:
    said = text_terms("Red rain boots")
    hits = [(normal_form(text), 1.0) for text in ("blue suede boots", "blue boots", "red boots")]
    fused = fuse({"dense": hits}, said=said)
    assert [one.canonical for one in fused] == [canonical for canonical, _ in hits[::-1]]
    assert [one.score for one in fused] == pytest.approx([1 / 63, UNSAID / 62, UNSAID**2 / 61])
    assert fuse({"dense": hits}) == fuse({"dense": hits}, said=normal_form("blue suede red boots").split())


def test_of_two_keywords_the_one_that_the_product_says_comes_first() -> None:
    market = Market(pairs=[("i1", normal_form("desk lamp"), 9, 9)])
    (candidates,) = market.generator.for_items([ItemRequest(product("Kids red boots"), "a")])
    assert candidates[0].keyword.text == "boots kids red"


# --- sources and candidates --------------------------------------------------------------------------------------


def test_an_adopted_keyword_counts_as_the_dictionary_says_and_stays_as_the_seller_typed_it() -> None:
    market = Market(canonical=CanonicalForms("v1", {"rian boots": normal_form("rain boots")}))
    (candidates,) = market.generator.for_items([ItemRequest(product("Rain boots"), "a", ("Rian boots",))])
    (adopted,) = [one for one in candidates if "adopted" in one.found]
    assert (adopted.canonical, adopted.keyword.text) == (normal_form("rain boots"), "Rian boots")


def test_candidates_name_their_sources_and_similarities() -> None:
    market = Market(pairs=[("i1", normal_form("hiking boots"), 3, 1)])
    (candidates,) = market.generator.for_items([ItemRequest(product("Rain boots"), "a", ("my own wellies",))])
    by_text = {one.keyword.text: one for one in candidates}
    assert {"dense", "bm25", "ngrams", "alignment"} <= set(by_text["rain boots"].found)
    assert by_text["hiking boots"].found["co_searched"].score == 13.0
    assert set(by_text["my own wellies"].found) == {"adopted"}
    assert len({one.canonical for one in candidates}) == len(candidates)
    for one in candidates:
        assert -1.001 <= one.dense <= 1.001
        assert 0 <= one.lexical <= 1
    assert by_text["rain boots"].dense == max(one.dense for one in candidates)


def test_another_sellers_private_text_never_shows() -> None:
    market = Market()
    item = product("Smith family reunion boots")
    assert "smith family reunion boots" not in market.found(ItemRequest(item, "a"))
    assert "smith family reunion boots" in market.found(ItemRequest(item, "b"))


def test_text_that_a_seller_adopted_stays_theirs() -> None:
    market = Market()
    item = product("Jones reunion wellies")
    assert "jones reunion wellies" in market.found(ItemRequest(item, "a", ("jones reunion wellies",)))
    assert "jones reunion wellies" not in market.found(ItemRequest(item, "b"))
    # Who adopts another form of a private keyword sees their own words.
    shown = market.found(ItemRequest(item, "c", ("boots: smith reunion family",)))
    assert "boots: smith reunion family" in shown
    assert "smith family reunion boots" not in shown


def test_a_surge_makes_a_keyword_rise_in_its_category_until_it_is_old() -> None:
    market = Market()
    market.generator.observe([searches("boots kids red", 10, 80)])
    request = ItemRequest(product("Zzz"), "a")
    assert "rising" in market.found(request)["boots kids red"]
    assert "rising" not in market.found(ItemRequest(product("Zzz", category="lamps"), "a")).get("boots kids red", set())
    market.clock.advance_to(NOW + DAY_MS + 1)
    assert "rising" not in market.found(request).get("boots kids red", set())


def test_a_fall_ends_a_rise() -> None:
    market = Market()
    market.generator.observe([searches("rain boots", 10, 80)])
    market.generator.observe([searches("rain boots", 80, 10)])
    assert "rising" not in market.found(ItemRequest(product("Zzz"), "a")).get("rain boots", set())


def test_a_keyword_discovered_elsewhere_can_rise() -> None:
    market = Market(extra=[keyword("wellies")])
    market.generator.observe([searches("wellies", 0, 50)])
    assert "rising" in market.found(ItemRequest(product("Zzz"), "a"))["wellies"]


def test_a_keyword_is_shown_to_all_once_a_shopper_searched_it() -> None:
    market = Market()
    market.indexed.add([keyword("family smith reunion boots")], LetterEncoder().encode(["family smith reunion boots"]))
    market.generator.observe([searches("smith family reunion boots", 0, 20)])
    assert "family smith reunion boots" in market.found(ItemRequest(product("Reunion boots"), "a"))


def test_buyers_searches_make_candidates_at_once() -> None:
    market = Market()
    market.generator.observe([Signal("pair:i1|desk lamp", "moved", metric="purchases", after=2)])
    assert "co_searched" in market.found(ItemRequest(product("Zzz"), "a"))["desk lamp"]


def test_an_answer_is_remembered_for_a_while() -> None:
    market = Market()
    market.found(ItemRequest(product("Wellies"), "a"))
    market.indexed.add([keyword("wellies")], LetterEncoder().encode(["wellies"]))
    assert "wellies" not in market.found(ItemRequest(product("Wellies"), "a"))
    market.clock.advance_to(NOW + 11 * 60_000)
    assert "dense" in market.found(ItemRequest(product("Wellies"), "a"))["wellies"]


def test_no_items_and_no_keywords() -> None:
    assert Market().generator.for_items([]) == []
    empty = KeywordCatalogue([], np.zeros((0, LetterEncoder.dimension)))
    generator = CandidateGenerator(load(), LetterEncoder(), empty, ExactNeighbours(empty, "v"), ManualClock(NOW))
    assert generator.for_items([ItemRequest(product("Boots"), "a")]) == [[]]
