"""The keyword index on a real Milvus: built, checked, swapped, added to, rolled back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from infra import milvus
from infra.clock import ManualClock
from infra.settings import Settings
from scorers.cli import app
from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Progress
from scorers.retrieval.index import IndexBroken, IndexMissing, KeywordIndex
from scorers.retrieval.index_check import check
from scorers.retrieval.neighbours import ExactNeighbours, Hit
from tests.unit.scorers.letters import LetterEncoder

pytestmark = pytest.mark.integration

WORDS = "rain boot shoe run trail lamp desk led phone case red blue kid women men water proof light"


def keywords(count: int) -> list[Keyword]:
    pairs = itertools.islice(itertools.permutations(WORDS.split(), 2), count)
    return [
        Keyword(canonical=" ".join(sorted(pair)), text=" ".join(pair), category="boots", volume=n, shoppers=1)
        for n, pair in enumerate({" ".join(sorted(pair)): pair for pair in pairs}.values())
    ]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_700_000_000_000)


@pytest.fixture
def index(integration_settings: Settings, clock: ManualClock) -> KeywordIndex:
    settings = integration_settings.model_copy(update={"min_distinct_shoppers": 1})
    return KeywordIndex(milvus.connect(settings), settings, LetterEncoder(), clock)


def embed(table: list[Keyword]) -> NDArray[np.float32]:
    return LetterEncoder().encode([keyword.text for keyword in table])


def test_without_an_index_the_error_says_what_to_run(index: KeywordIndex) -> None:
    with pytest.raises(IndexMissing, match="keypulse index build"):
        _ = index.version


def test_neighbours_equal_exact_search(index: KeywordIndex) -> None:
    table = keywords(120)
    version = index.build(table, embed(table))
    assert index.version == version
    exact = ExactNeighbours(KeywordCatalogue(table, embed(table)), version)
    queries = embed(table[::7])
    for ours, theirs in zip(index.neighbours(queries, 10), exact.neighbours(queries, 10), strict=True):
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=2e-3)


def test_keywords_come_back_as_they_were_built(index: KeywordIndex) -> None:
    table = [
        *keywords(10),
        Keyword(canonical="famili smith", text="smith family", sellers=["s1"], rivals=1, withheld=True),
    ]
    index.build(table, embed(table))
    found, vectors = index.fetch(["famili smith", table[0].canonical, "unheard of"])
    by_canonical = {keyword.canonical: row for row, keyword in enumerate(found)}
    assert set(by_canonical) == {"famili smith", table[0].canonical}
    assert found[by_canonical["famili smith"]] == table[-1]
    np.testing.assert_allclose(vectors[by_canonical[table[0].canonical]], embed(table)[0], atol=1e-6)


def test_a_discovered_keyword_is_found_at_once_and_for_good(index: KeywordIndex) -> None:
    """Also guards against rows that vanish from search after an upsert."""
    table = keywords(60)
    index.build(table, embed(table))
    for round_ in range(3):
        index.add([(f"welli {round_}", f"wellies {round_}"), (table[0].canonical, "other text")])
    hits = index.neighbours(LetterEncoder().encode(["wellies 2"]), 3)[0]
    assert hits[0][0] == "welli 2"
    (known,), _ = index.fetch([table[0].canonical])
    assert known == table[0]
    (added,), _ = index.fetch(["welli 1"])
    assert (added.text, added.category, added.shoppers) == ("wellies 1", "boots", 1)
    every = {hit for hits in index.neighbours(embed(table), 100) for hit, _ in hits}
    assert every >= {keyword.canonical for keyword in table}


def test_where_shoppers_are_counted_a_discovered_keyword_waits(
    integration_settings: Settings, index: KeywordIndex, clock: ManualClock
) -> None:
    index.build(keywords(10), embed(keywords(10)))
    counting = KeywordIndex(milvus.connect(integration_settings), integration_settings, LetterEncoder(), clock)
    counting.add([("famili smith", "family smith")])
    (found,), _ = counting.fetch(["famili smith"])
    assert found.withheld
    near = counting.neighbours(LetterEncoder().encode(["family smith"]), 20)[0]
    assert "famili smith" not in {canonical for canonical, _ in near}


def test_a_sellers_own_text_is_replaced_once_a_shopper_searches_it(index: KeywordIndex) -> None:
    table = [*keywords(10), Keyword(canonical="famili smith", text="smith family", sellers=["s1"], withheld=True)]
    index.build(table, embed(table))
    index.add([("famili smith", "family smith")])
    (found,), _ = index.fetch(["famili smith"])
    assert (found.text, found.sellers) == ("family smith", [])


def test_a_new_index_is_swapped_in_and_rolled_back(index: KeywordIndex, clock: ManualClock) -> None:
    versions = []
    for count in (10, 20, 30):
        clock.advance_to(clock.now_ms() + 1_000)
        versions.append(index.build(keywords(count), embed(keywords(count))))
        assert index.version == versions[-1]
    assert index._versions.all() == versions[1:]
    assert index.roll_back() == versions[1]
    assert index.version == versions[1]
    with pytest.raises(IndexMissing):
        index.roll_back()


def test_an_index_that_fails_its_check_is_not_swapped_in(index: KeywordIndex, clock: ManualClock) -> None:
    good = index.build(keywords(10), embed(keywords(10)))
    clock.advance_to(clock.now_ms() + 1_000)
    twice = keywords(10) + keywords(10)
    with pytest.raises(IndexBroken):
        index.build(twice, embed(twice)[:, ::-1] * np.nan)
    assert index._versions.all() == [good]
    assert index.version == good


def test_vectors_of_another_encoder_are_not_swapped_in(index: KeywordIndex) -> None:
    table = keywords(60)
    with pytest.raises(IndexBroken, match="another encoder"):
        index.build(table, embed(table)[:, ::-1])
    assert index._versions.all() == []


class OtherLetters(LetterEncoder):
    """Another encoder of as many dimensions: no vector of the one means anything to the other."""

    name = "other-letters"

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        return super().encode(texts, progress)[:, ::-1]


def test_a_reader_does_not_search_keywords_of_another_dictionary(index: KeywordIndex, clock: ManualClock) -> None:
    table = keywords(30)
    old = index.build(table, embed(table))
    settings = Settings(keyword_collection=index._alias)
    later = KeywordIndex(index._client, settings, LetterEncoder(), clock, dictionary="v2")
    with pytest.raises(IndexMissing, match=r"the bundle \(encoder letters, dictionary v2\): run `keypulse index"):
        _ = later.version
    clock.advance_to(clock.now_ms() + 20_000)
    new = later.build(table, embed(table))
    assert (index.version, later.version) == (old, new)


def test_a_reader_stays_with_the_index_of_its_encoder(index: KeywordIndex, clock: ManualClock) -> None:
    table = keywords(30)
    old = index.build(table, embed(table))
    other = KeywordIndex(index._client, Settings(keyword_collection=index._alias), OtherLetters(), clock)
    with pytest.raises(IndexMissing, match=r"the bundle \(encoder other-letters, no dictionary\): run"):
        _ = other.version
    new = []
    for _ in range(3):
        clock.advance_to(clock.now_ms() + 20_000)
        new.append(other.build(table, OtherLetters().encode([keyword.text for keyword in table])))
        assert (index.version, other.version) == (old, new[-1])
        assert {hit for (hit, _), *_ in index.neighbours(embed(table), 1)} == {one.canonical for one in table}
    assert index._versions.all() == [old, *new[-2:]]


def test_keywords_that_are_withheld_are_counted_and_not_searched(index: KeywordIndex) -> None:
    table = [msgspec.structs.replace(keyword, withheld=row % 3 > 0) for row, keyword in enumerate(keywords(90))]
    index.build(table, embed(table))
    found = {canonical for hits in index.neighbours(embed(table), 90) for canonical, _ in hits}
    assert found == {keyword.canonical for keyword in table if not keyword.withheld}


def test_search_that_misses_neighbours_is_not_good_enough(index: KeywordIndex, integration_settings: Settings) -> None:
    table = keywords(120)
    name = index.build(table, embed(table))

    def search(collection: str, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        return index.neighbours(vectors, limit)

    def careless(collection: str, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        """Loses every tenth hit."""
        return [[hit for place, hit in enumerate(row, start=1) if place % 10] for row in search("", vectors, limit)]

    client = milvus.connect(integration_settings)
    check(client, name, table, embed(table), LetterEncoder(), search)
    with pytest.raises(IndexBroken, match=r"search finds 0\.90\d of the \d+ nearest"):
        check(client, name, table, embed(table), LetterEncoder(), careless)
    with pytest.raises(IndexBroken, match=f"{len(table)} keywords instead of {len(table) - 1}"):
        check(client, name, table[1:], embed(table[1:]), LetterEncoder(), search)


def test_rolling_back_by_command(index: KeywordIndex, integration_settings: Settings, clock: ManualClock) -> None:
    table = keywords(30)
    first = index.build(table, embed(table))
    clock.advance_to(clock.now_ms() + 2_000)
    index.build(table[:10], embed(table[:10]))
    environment = {
        "KEYPULSE_MILVUS_URI": integration_settings.milvus_uri,
        "KEYPULSE_KEYWORD_COLLECTION": integration_settings.keyword_collection,
    }
    rolled = CliRunner().invoke(app, ["index", "rollback"], env=environment)
    assert (rolled.exit_code, rolled.output.strip()) == (0, first)
    clock.advance_to(clock.now_ms() + 2_000)  # workers look the alias up once a second
    assert index.version == first
    again = CliRunner().invoke(app, ["index", "rollback"], env=environment)
    assert isinstance(again.exception, IndexMissing)
