"""Whatever source finds it: what too few shoppers typed, or sellers alone, is shown to nobody else."""

from __future__ import annotations

import polars as pl
import pytest

from infra.clock import ManualClock
from infra.settings import DAY_MS, load
from scorers.keywords.table import Keyword, keyword_table
from scorers.retrieval.candidates import CandidateGenerator, ItemRequest
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import ExactNeighbours
from streams.contracts.messages import ProductState, Signal
from streams.normal_form import normal_form
from tests.unit.scorers.letters import LetterEncoder

NOW = 1_700_000_000_000
ITEM = ProductState(schema_version=1, item="i1", seller="a", title="Rain boots", category="boots", updated_at=NOW)
PUBLIC = Keyword(canonical=normal_form("rain boots"), text="rain boots", category="boots", shoppers=10)
HIDDEN = {
    "too few shoppers": Keyword(
        canonical=normal_form("rain boots smith"), text="rain boots smith", category="boots", shoppers=9, withheld=True
    ),
    "sellers alone": Keyword(
        canonical=normal_form("rain boots jones"), text="rain boots jones", category="boots", sellers=["b", "c"]
    ),
}


@pytest.fixture(params=HIDDEN)
def hidden(request: pytest.FixtureRequest) -> Keyword:
    return HIDDEN[request.param]


def generator(
    known: list[Keyword], indexed: list[Keyword], pairs: list[tuple[str, str, int, int]]
) -> CandidateGenerator:
    encoder = LetterEncoder()

    def catalogue(keywords: list[Keyword]) -> KeywordCatalogue:
        return KeywordCatalogue(keywords, encoder.encode([one.text for one in keywords]))

    index = ExactNeighbours(catalogue(indexed), "v1")
    return CandidateGenerator(load(), encoder, catalogue(known), index, ManualClock(NOW), pairs, days=8.0)


def shown(made: CandidateGenerator, seller: str, *adopted: str) -> dict[str, set[str]]:
    (candidates,) = made.for_items([ItemRequest(ITEM, seller, adopted)])
    return {one.keyword.text: set(one.found) for one in candidates}


def test_every_source_finds_it_and_none_shows_it(hidden: Keyword) -> None:
    made = generator(
        [PUBLIC, hidden], [PUBLIC, hidden], [("i1", hidden.canonical, 9, 3), ("i1", PUBLIC.canonical, 9, 3)]
    )
    surge = [Signal(f"keyword:{one.canonical}", "moved", "searches", "1h", 4, 240) for one in (PUBLIC, hidden)]
    made.observe(surge)
    sources = {source.name for source in made.sources}
    assert shown(made, "a")[PUBLIC.text] == sources - {"adopted"}
    assert hidden.text not in shown(made, "a")


def test_neither_when_only_the_index_knows_it(hidden: Keyword) -> None:
    made = generator([PUBLIC], [PUBLIC, hidden], [])
    made.observe([Signal(f"keyword:{hidden.canonical}", "moved", "searches", "1h", 4, 240)])
    assert hidden.text not in shown(made, "a")


def test_who_typed_it_sees_it(hidden: Keyword) -> None:
    made = generator([PUBLIC, hidden], [PUBLIC, hidden], [])
    assert hidden.text in shown(made, "a", hidden.text)
    assert (hidden.text in shown(made, "b")) == ("b" in hidden.sellers)


def test_a_keyword_is_shown_from_the_tenth_shopper_on() -> None:
    rows = [
        (NOW - DAY_MS, f"s{number}", text, "boots")
        for text, count in (("rain boots", 10), ("red boots", 9))
        for number in range(count)
    ]
    searches = pl.DataFrame(rows, schema=["event_time", "shopper", "query", "category"], orient="row")
    table = keyword_table(searches, [], load().min_distinct_shoppers)
    made = generator(table, table, [])
    assert set(shown(made, "a")) == {"rain boots"}
