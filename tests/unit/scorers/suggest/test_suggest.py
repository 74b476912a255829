"""Suggestions for tables: what counts, what is handled, what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.settings import load
from scorers.data.reading import BadTable
from scorers.steps import silent
from scorers.suggest.evidence import Evidence, read_evidence
from scorers.suggest.run import suggest_command, suggestions
from scorers.suggest.tables import read_keywords, read_products
from tests.unit.scorers.letters import LetterEncoder

PRODUCTS = "product_id,title\np1,Red rain boots for kids\np2,Desk lamp with LED\np3,Leather hiking boots\n"
KEYWORDS = "keyword\nrain boots\nkids boots\nhiking boots\ndesk lamp\nled lamp\nleather belt\n"


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def suggest(
    folder: Path, products: str = PRODUCTS, keywords: str = KEYWORDS, evidence: Evidence | None = None, top: int = 5
) -> pl.DataFrame:
    goods = read_products(table(folder / "p.csv", products))
    texts = read_keywords(table(folder / "k.csv", keywords))
    return suggestions(goods, texts, evidence, LetterEncoder(), load(), top, silent())


def of(frame: pl.DataFrame, product: str) -> list[str]:
    return frame.filter(pl.col("product_id") == product).sort("rank").get_column("keyword").to_list()


def test_two_bare_tables_are_enough(tmp_path: Path) -> None:
    found = suggest(tmp_path)
    assert set(of(found, "p1")[:2]) == {"rain boots", "kids boots"}
    assert set(of(found, "p2")[:2]) == {"desk lamp", "led lamp"}
    assert of(found, "p3")[0] == "hiking boots"
    assert found.columns[:6] == ["product_id", "keyword", "canonical", "rank", "score", "similarity"]
    sources = ("dense", "bm25", "ngrams", "alignment")
    assert found.columns[6:] == [f"{source}_{what}" for source in sources for what in ("score", "rank")]
    best = found.filter((pl.col("product_id") == "p3") & (pl.col("rank") == 1)).row(0, named=True)
    assert [best[f"{source}_rank"] for source in sources] == [1, 1, 1, 1]
    assert best["score"] == pytest.approx(1)


def test_forms_of_one_keyword_are_one_and_the_most_searched_is_shown(tmp_path: Path) -> None:
    keywords = "keyword,searches\nRAIN BOOT,3\nboots for rain,5\nrain boots,40\ndesk lamp,\n"
    found = suggest(tmp_path, keywords=keywords)
    assert of(found, "p1") == ["rain boots"]


def test_a_word_that_the_product_does_not_say_costs_places(tmp_path: Path) -> None:
    found = suggest(tmp_path, keywords="keyword\nred rain boots\ngreen rain boots\n")
    assert of(found, "p1") == ["red rain boots", "green rain boots"]


def test_nothing_far_from_the_product_fills_up_the_list(tmp_path: Path) -> None:
    assert of(suggest(tmp_path, keywords="keyword\nzxqv\nred rain boots\n"), "p1") == ["red rain boots"]


UNTIDY = [
    "<b>Rain</b> boots &amp; more<br/>",
    "🥾🌧 rain boots 🥾",
    "Регенстиефель резиновые сапоги rain boots",
    "雨靴 レインブーツ rain boots",
    "rain boots " + "very " * 2_500,
    "RAIN\u00a0BOOTS\u200b",
]


@pytest.mark.parametrize("title", UNTIDY)
def test_untidy_titles_are_handled(tmp_path: Path, title: str) -> None:
    assert of(suggest(tmp_path, products=f'product_id,title\np1,"{title}"\n'), "p1")[0] == "rain boots"


def test_other_scripts_match_their_own(tmp_path: Path) -> None:
    found = suggest(tmp_path, "product_id,title\np1,резиновые сапоги\n", "keyword\nсапоги\n雨靴\nrain boots\n")
    assert of(found, "p1")[0] == "сапоги"


@pytest.mark.parametrize("title", ["", " ", "🥾", "<br/>", "---"])
def test_a_product_without_a_word_gets_nothing_and_disturbs_nobody(tmp_path: Path, title: str) -> None:
    found = suggest(tmp_path, products=f'product_id,title\np0,"{title}"\np1,Rain boots\n')
    assert of(found, "p0") == []
    assert of(found, "p1")[0] == "rain boots"


def test_other_columns_help_where_the_title_is_silent(tmp_path: Path) -> None:
    products = 'product_id,title,category_path,specification\np1,Model 7,Home > Lamps,"{""Light"": ""LED""}"\n'
    assert of(suggest(tmp_path, products=products), "p1")[0] == "led lamp"


def test_searches_lift_what_is_searched(tmp_path: Path) -> None:
    keywords = "keyword,searches\nred boots,{}\nkids boots,{}\n"
    assert of(suggest(tmp_path, keywords=keywords.format(9_000, 1)), "p1")[0] == "red boots"
    assert of(suggest(tmp_path, keywords=keywords.format(1, 9_000)), "p1")[0] == "kids boots"


def evidence(*pairs: tuple[str, str, float], **searches: int) -> Evidence:
    frame = pl.DataFrame(pairs, {"product_id": pl.String, "canonical": pl.String, "strength": pl.Float64}, orient="row")
    return Evidence(frame, searches)


def test_what_is_bought_is_lifted_for_the_product_and_for_those_like_it(tmp_path: Path) -> None:
    products = PRODUCTS + "p4,Red rain boots for kids too\n"
    before = suggest(tmp_path, products)
    after = suggest(tmp_path, products, evidence=evidence(("p1", "boot rain", 30.0)))
    assert (of(before, "p1")[0], of(after, "p1")[0]) == ("kids boots", "rain boots")
    assert (of(before, "p4")[0], of(after, "p4")[0]) == ("kids boots", "rain boots")
    assert of(before, "p2") == of(after, "p2")
    bought = dict(after.filter(pl.col("keyword") == "rain boots").select("product_id", "bought_score").iter_rows())
    assert bought["p1"] == pytest.approx(30, rel=1e-3)
    assert 0 < bought["p4"] < bought["p1"]


def test_evidence_of_strangers_says_nothing(tmp_path: Path) -> None:
    strange = evidence(("gone", "boot kid", 30.0), ("p1", "unheard of", 30.0))
    columns = ["product_id", "keyword", "rank"]
    assert suggest(tmp_path, evidence=strange).select(columns).equals(suggest(tmp_path).select(columns))


@settings(max_examples=20, deadline=None)
@given(st.permutations(KEYWORDS.splitlines()[1:]), st.integers(1, 4))
def test_lists_are_ranked_and_cut_and_the_order_of_the_table_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, keywords: list[str], top: int
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    found = suggest(folder, keywords="\n".join(["keyword", *keywords]), top=top)
    assert found.equals(suggest(folder, top=top))
    for _, of_one in found.group_by("product_id"):
        assert of_one.get_column("rank").to_list() == list(range(1, len(of_one) + 1))
        assert len(of_one) <= top
        assert of_one.get_column("score").is_sorted(descending=True)
        assert of_one.get_column("canonical").is_unique().all()


def test_evidence_is_read_from_searches_and_from_campaign_history(tmp_path: Path) -> None:
    searches = table(
        tmp_path / "s.csv", "keyword,searches,clicked,purchased\nRain boots,7,p1|p1|p3,p1\nboots rain,2,,\n"
    )
    read = read_evidence(searches, load())
    assert sorted(read.pairs.rows()) == [("p1", "boot rain", 12.0), ("p3", "boot rain", 1.0)]
    assert read.searches == {"boot rain": 9}
    header = "day,campaign,product_id,keyword,impressions,clicks,purchases\n"
    campaigns = table(
        tmp_path / "c.csv", header + "2026-03-01,c1,p1,rain boots,50,4,1\n2026-03-02,,p1,boots rain,9,0,0\n"
    )
    read = read_evidence(campaigns, load())
    assert read.pairs.rows() == [("p1", "boot rain", 14.0)]
    assert read.searches == {}


def test_a_folders_products_lend_their_titles(tmp_path: Path) -> None:
    table(tmp_path / "products.csv", "product_id,title\nold,Red rain boots for kids\n")
    table(tmp_path / "searches.csv", "keyword,clicked\nrain boots,old|old|old|old\n")
    found = suggest(tmp_path, evidence=read_evidence(tmp_path, load()))
    assert of(found, "p1")[0] == "rain boots"


def test_a_folder_without_history_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="holds neither searches nor campaign_history"):
        read_evidence(tmp_path, load())


@pytest.mark.parametrize(
    ("products", "keywords", "why"),
    [
        ("product_id,title\n", KEYWORDS, r"p\.csv: the table is empty"),
        ("", KEYWORDS, r"p\.csv: the file is empty"),
        ("id,title\np1,Boots\n", KEYWORDS, r"p\.csv: column product_id is missing .*it has id, title"),
        ("product_id\np1\n", KEYWORDS, r"p\.csv: column title is missing"),
        ("product_id,title\np1,\np2,\n", KEYWORDS, r"p\.csv: column title has no value in any of its 2 rows"),
        ("product_id,title\np1,Boots\n,Lamp\n", KEYWORDS, r"p\.csv: row 2 has no product_id"),
        (PRODUCTS, "query\nboots\n", r"k\.csv: column keyword is missing"),
        (PRODUCTS, "keyword\n", r"k\.csv: the table is empty"),
        (PRODUCTS, 'keyword,searches\n,3\n"",4\n', r"k\.csv: column keyword has no value"),
        (PRODUCTS, "keyword\n---\n🥾\n", r"k\.csv: no keyword has a word in it"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path: Path, products: str, keywords: str, why: str) -> None:
    with pytest.raises(BadTable, match=why):
        suggest(tmp_path, products, keywords)


def test_an_unreadable_file_and_an_unknown_ending_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadTable, match=r"p\.parquet: cannot be read as Parquet"):
        read_products(tmp_path / "p.parquet")
    with pytest.raises(BadTable, match="no such file"):
        read_keywords(tmp_path / "nowhere.csv")
    with pytest.raises(BadTable, match=r"must end in \.csv or \.parquet"):
        suggest_command(tmp_path / "p.csv", tmp_path / "k.csv", tmp_path / "out.xlsx", 5, None, cleared=True)


def test_of_products_with_one_id_the_first_counts(tmp_path: Path) -> None:
    found = suggest(tmp_path, products="product_id,title\np1,Rain boots\np1,Desk lamp\n")
    assert of(found, "p1")[0] == "rain boots"
