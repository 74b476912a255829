"""Retrieval judged: by the simulator's truth and on real text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import load
from scorers.history import History
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.keywords.table import keyword_table
from scorers.retrieval.judging.fields import WAYS, tried_on_market, tried_on_real_text
from scorers.retrieval.judging.market import RetrievalAsOf
from scorers.retrieval.judging.measures import estimate, recall, reciprocal_rank
from scorers.retrieval.judging.real_retrieval import Ranked, not_worse, ranked_by_sources
from scorers.retrieval.judging.real_text import RealText, real_text
from scorers.retrieval.judging.truth import NoTruth, true_top
from scorers.retrieval.text import product_text
from streams.simulator.own_catalogue import WrongCatalogue
from streams.simulator.states import write_states
from streams.simulator.truth import write_truth
from tests.market import UNTIL_MS, make_market, make_past
from tests.unit.scorers.letters import LetterEncoder

DAY = 24 * 3_600_000

# --- measures -----------------------------------------------------------------------------------------------------


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=40), groups=st.integers(1, 5))
def test_an_estimate_lies_in_its_interval(values: list[float], groups: int) -> None:
    found = estimate(np.array(values), [f"g{place % groups}" for place in range(len(values))])
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_values_of_one_group_count_as_one_observation() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 100)
    together = estimate(values, np.repeat(["a", "b", "c", "d"], 100).tolist())
    apart = estimate(values, [str(place) for place in range(400)])
    assert together.high - together.low > 5 * (apart.high - apart.low)


def test_recall_and_reciprocal_rank() -> None:
    assert recall(["a", "b", "a", "c"], {"a", "c"}, 3) == 0.5
    assert reciprocal_rank(["a", "b"], {"b"}) == 0.5
    assert reciprocal_rank(["a", "b"], {"c"}) == 0.0


# --- by the simulator's truth ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("judging") / "history"
    market = make_market(6, events=60_000, days=6.0, products=200, campaigns=80, keywords=800)
    make_past(market, folder)
    write_states(market, folder)
    write_truth(market, folder)
    return History(folder)


@pytest.fixture(scope="module")
def judged(history: History) -> RetrievalAsOf:
    table, encoder = keyword_table(history.searches, history.campaigns), LetterEncoder()
    known = EmbeddedKeywords(table, encoder.encode([one.text for one in table]).astype(np.float16))
    return RetrievalAsOf(history, UNTIL_MS - 3 * DAY, known, encoder, load())


def test_the_true_top_are_the_concepts_of_most_expected_purchases(history: History) -> None:
    top = true_top(history.folder, {item for campaign in history.campaigns for item in campaign.items})
    item = min(top.best)
    rows = pl.read_parquet(history.folder / "truth.parquet").filter(pl.col("item") == item)
    values = dict(rows.select("canonical", "expected_purchases_at_start").iter_rows())
    assert len(top.best[item]) == min(50, sum(value > 0 for value in values.values()))
    least = min(values[concept] for concept in top.best[item])
    assert all(value <= least for concept, value in values.items() if concept not in top.best[item])


def test_sources_that_know_something_beat_chance(judged: RetrievalAsOf) -> None:
    def found(lists: list[list[tuple[str, float]]]) -> float:
        return float(judged.items.recalls(lists, 50).mean())

    chance = found(judged.baselines["random"])
    assert len(judged.items.requests) >= 10
    for name in ("bm25", "ngrams", "alignment"):
        assert found(judged.lists[name]) > 2 * chance
    assert found(judged.baselines["popular"]) > 2 * chance
    assert found(judged.fused()) > found(judged.fused(without="bm25"))
    assert "adopted" not in judged.lists


def test_a_list_of_the_true_concepts_has_recall_one(judged: RetrievalAsOf) -> None:
    perfect = [[(concept, 1.0) for concept in best] for best in judged.items.best]
    assert judged.items.estimates(perfect)["recall@200"].mean == 1.0


def test_fields_are_tried_on_the_market(judged: RetrievalAsOf) -> None:
    tried = tried_on_market(judged.items, judged.catalogue, LetterEncoder())
    assert set(tried) == set(WAYS)
    everything = tried["title, brand, leaf category, short values of the specification"]["recall@200"].mean
    assert everything > tried["title"]["recall@200"].mean


def test_a_history_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoTruth, match=r"truth\.parquet"):
        true_top(tmp_path, ["i"])


# --- on real text ---------------------------------------------------------------------------------------------------

ROWS = [
    ("Acme rain boots red round toe", "Shoes > Acme Rain Boots", "Acme", {"Toe": "Round Toe", "Care": "wash it " * 9}),
    ("Acme rain boots blue", "Shoes > Acme Rain Boots", "Acme", {"Toe": "Round Toe"}),
    ("Bolt desk lamp black", "Lamps > Desk Lamps > Bolt desk lamp black", "Bolt", {"Size": "M"}),
    ("Cord desk lamp", "Lamps > Desk Lamps", "", {}),
    ("Mystery", "", "", {"Rare": "Only Here"}),
]


@pytest.fixture
def real(tmp_path: Path) -> RealText:
    lines = ["title,category_path,price,brand,specification"]
    for title, path, brand, specification in ROWS:
        quoted = json.dumps(specification).replace('"', '""')
        lines.append(f'{title},{path},10,{brand},"{quoted}"')
    (tmp_path / "shop.csv").write_text("\n".join(lines) + "\n")
    return real_text(tmp_path / "shop.csv")


def test_keywords_are_what_several_products_carry(real: RealText) -> None:
    named = {kind: [{real.texts[form] for form in of} for of in each] for kind, each in real.relevant.items()}
    assert named["category"] == [{"rain boots"}, {"rain boots"}, {"desk lamps"}, {"desk lamps"}, set()]
    assert named["brand and category"] == [{"acme rain boots"}] * 2 + [{"bolt desk lamps"}, set(), set()]
    assert named["specification"] == [{"round toe"}, {"round toe"}, set(), set(), set()]
    assert real.makers[:3] == ["Acme", "Acme", "Bolt"]


def test_retrievers_see_title_and_price_only(real: RealText) -> None:
    for product, whole in zip(real.products, real.whole, strict=True):
        assert (product.title, product.price) == (whole.title, whole.price)
        assert product_text(product) == product.title
        assert (product.category, product.category_path, product.brand, product.specification) == (
            "unknown", [], None, {},
        )  # fmt: skip


def test_sources_are_ranked_on_real_text(real: RealText) -> None:
    ranked = ranked_by_sources(real, LetterEncoder(), LetterEncoder(), load())
    assert set(ranked) == {"dense", "bm25", "ngrams", "alignment", "fused"}
    assert ranked["fused"].estimates()["mrr"].n == 4  # one product carries no keyword
    assert ranked["bm25"].estimates()["mrr"].mean == 1.0
    worst = Ranked(real, [list(real.texts)[::-1] for _ in real.products])
    assert not_worse(ranked["bm25"], ranked["bm25"])[1]
    assert not not_worse(worst, ranked["bm25"])[1]


def test_relevant_keywords_of_another_kind_hold_no_place(real: RealText) -> None:
    forms = {text: form for form, text in real.texts.items()}
    order = [forms[text] for text in ("acme rain boots", "round toe", "desk lamps", "rain boots", "bolt desk lamps")]
    ranked = Ranked(real, [order for _ in real.products])
    assert ranked.reciprocal_ranks(["category"])[:3].tolist() == [1 / 2, 1 / 2, 1 / 3]
    assert ranked.reciprocal_ranks(["specification"])[0] == 1.0


def test_a_field_is_not_judged_by_keywords_made_of_it(real: RealText) -> None:
    tried = tried_on_real_text(real, LetterEncoder())
    assert set(tried["title"]) == {"category", "brand and category", "specification"}
    assert set(tried["title, brand"]) == {"category", "specification"}
    assert set(tried["title, short values of the specification"]) == {"category", "brand and category"}
    assert "title, brand, leaf category, short values of the specification" not in tried


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(WrongCatalogue, match="title"):
        real_text(tmp_path / "no.csv")
