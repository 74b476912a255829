"""BM25, n-grams and title alignment as sources; popularity as the baseline."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.judging.popular import Popular
from scorers.retrieval.matching import Matcher
from scorers.retrieval.sources.alignment import Alignment
from scorers.retrieval.sources.lexical import bm25, ngrams
from scorers.retrieval.sources.source import ItemQuery, Source
from streams.contracts.messages import ProductState
from streams.normal_form import normal_form
from tests.unit.scorers.letters import LetterEncoder

WORDS = ["rain", "boot", "red", "kid", "lamp", "desk"]


def keyword(text: str, category: str = "boots", volume: int = 5) -> Keyword:
    return Keyword(canonical=normal_form(text), text=text, category=category, volume=volume, shoppers=5)


def catalogue(*keywords: Keyword) -> KeywordCatalogue:
    return KeywordCatalogue(keywords, LetterEncoder().encode([one.text for one in keywords]))


def found(source: Source, known: KeywordCatalogue, title: str, category: str = "boots", limit: int = 10) -> list[str]:
    product = ProductState(schema_version=1, item="i", seller="s", title=title, category=category, updated_at=0)
    (text,) = Matcher(LetterEncoder(), known).read([product])
    (hits,) = source.find([ItemQuery(product, "s", text)], limit)
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
    return [known.get(canonical).text for canonical, _ in hits]  # type: ignore[union-attr]


def test_bm25_wants_whole_words_and_prefers_rare_ones() -> None:
    known = catalogue(*map(keyword, ("boots", "rain boots", "snow boots", "red lamp", "hedphones")))
    assert found(bm25(known), known, "Rain boots")[0] == "rain boots"
    assert found(bm25(known), known, "headphones", category="unknown") == []


def test_ngrams_find_misspelt_words_and_compounds() -> None:
    known = catalogue(*map(keyword, ("hedphones", "rain boots", "rainboots")))
    assert found(ngrams(known), known, "headphones")[0] == "hedphones"
    assert set(found(ngrams(known), known, "rain boots")) >= {"rain boots", "rainboots"}


def test_alignment_prefers_keywords_that_the_title_holds_whole_and_of_equals_the_most_searched() -> None:
    known = catalogue(
        keyword("red rain boots"),
        keyword("rain boots", volume=9),
        keyword("kids boots", volume=99),
        keyword("red boots", volume=20),
        keyword("red rain boots for dogs that swim"),
    )
    # Alignments: 3 of 3 words, 2 of 2 words twice, 3 of 5 words (3 / 3), 1 of 2 words (1 / 2).
    assert found(Alignment(known), known, "Red Rain Boots") == [
        "red rain boots",
        "red boots",
        "rain boots",
        "red rain boots for dogs that swim",
        "kids boots",
    ]


def test_alignment_takes_keywords_with_more_words_in_common_first() -> None:
    """ "boots" aligns fully, but two keywords share two words and there is room for two."""
    known = catalogue(keyword("boots", volume=99), keyword("red boots large soft"), keyword("rain boots large soft"))
    titled = found(Alignment(known), known, "Red rain boots", limit=2)
    assert set(titled) == {"red boots large soft", "rain boots large soft"}


def test_alignment_stays_in_the_category_unless_there_is_none() -> None:
    known = catalogue(keyword("rain boots"), keyword("rain lamp", category="lamps"))
    assert found(Alignment(known), known, "Rain boots lamp") == ["rain boots"]
    assert set(found(Alignment(known), known, "Rain boots lamp", category="unknown")) == {"rain boots", "rain lamp"}


@pytest.mark.parametrize("make", [bm25, ngrams, Alignment])
def test_sources_learn_keywords_that_are_added(make: type[Alignment]) -> None:
    known = catalogue(keyword("rain boots"))
    source = make(known)
    assert found(source, known, "Rain wellies") == ["rain boots"]
    known.add([keyword("wellies")], LetterEncoder().encode(["wellies"]))
    assert set(found(source, known, "Rain wellies")) == {"rain boots", "wellies"}
    assert found(source, known, "", category="unknown") == []
    empty = KeywordCatalogue([], np.zeros((0, LetterEncoder.dimension)))
    assert found(make(empty), empty, "Rain boots") == []


@given(
    keywords=st.lists(st.frozensets(st.sampled_from(WORDS), min_size=1), min_size=1, unique=True),
    title=st.frozensets(st.sampled_from(WORDS)),
    limit=st.integers(1, 8),
)
def test_alignment_equals_its_definition(keywords: list[frozenset[str]], title: frozenset[str], limit: int) -> None:
    known = catalogue(*(keyword(" ".join(sorted(one)), volume=n) for n, one in enumerate(keywords)))
    groups: dict[int, list[tuple[float, int, str]]] = {}
    for volume, one in enumerate(keywords):
        if common := len(one & title):
            entry = (-common / (len(one) - common + 1), -volume, " ".join(sorted(one)))
            groups.setdefault(common, []).append(entry)
    taken: list[tuple[float, int, str]] = []
    for common in sorted(groups, reverse=True):
        if len(taken) < limit:
            taken += groups[common]
    assert found(Alignment(known), known, " ".join(title), limit=limit) == [text for *_, text in sorted(taken)[:limit]]


@pytest.mark.parametrize("make", [bm25, ngrams, Alignment])
def test_what_a_seller_may_not_see_takes_no_place(make: type[Alignment]) -> None:
    secret = msgspec.structs.replace(keyword("smith rain boots"), shoppers=1, sellers=["s"], withheld=True)
    others = msgspec.structs.replace(secret, canonical="boot jone rain", text="jones rain boots", sellers=["t"])
    known = catalogue(others, secret, keyword("rain boots for dogs"))
    source = make(known)
    assert found(source, known, "Smith jones rain boots", limit=2) == ["smith rain boots", "rain boots for dogs"]
    # Once shoppers search it, everybody may see it.
    searched = msgspec.structs.replace(others, shoppers=20, withheld=False)
    known.add([searched], LetterEncoder().encode([searched.text]))
    assert "jones rain boots" in found(source, known, "Smith jones rain boots")


def test_popularity_in_all_and_in_the_category() -> None:
    known = catalogue(keyword("boots", volume=3), keyword("lamp", "lamps", 9), keyword("red boots", volume=5))
    assert found(Popular(known, everywhere=True), known, "x") == ["lamp", "red boots", "boots"]
    assert found(Popular(known), known, "x") == ["red boots", "boots"]
