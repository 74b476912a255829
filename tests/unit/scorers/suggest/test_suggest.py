"""Suggestions for tables: what counts, what is handled, what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.settings import load
from infra.steps import silent
from scorers.data.products import read_products
from scorers.data.reading import BadTable
from scorers.suggest.evidence import Evidence, read_evidence
from scorers.suggest.keywords import NOBODY_SEARCHED, read_keywords
from scorers.suggest.run import suggest_command, suggestions
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
    searched = evidence.searches if evidence else NOBODY_SEARCHED
    offered = read_keywords(table(folder / "k.csv", keywords), load(), [one.title for one in goods], searched)
    return suggestions(goods, offered, evidence, LetterEncoder(), load(), top, silent())


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


def evidence(*pairs: tuple[str, str, float]) -> Evidence:
    frame = pl.DataFrame(pairs, {"product_id": pl.String, "text": pl.String, "strength": pl.Float64}, orient="row")
    return Evidence(frame, NOBODY_SEARCHED)


def test_what_is_bought_is_lifted_for_the_product_and_for_those_like_it(tmp_path: Path) -> None:
    products = PRODUCTS + "p4,Red rain boots for kids too\n"
    before = suggest(tmp_path, products)
    after = suggest(tmp_path, products, evidence=evidence(("p1", "rain boot", 30.0)))
    assert (of(before, "p1")[0], of(after, "p1")[0]) == ("kids boots", "rain boots")
    assert (of(before, "p4")[0], of(after, "p4")[0]) == ("kids boots", "rain boots")
    assert of(before, "p2") == of(after, "p2")
    bought = dict(after.filter(pl.col("keyword") == "rain boots").select("product_id", "bought_score").iter_rows())
    assert bought["p1"] == pytest.approx(30, rel=1e-3)
    assert 0 < bought["p4"] < bought["p1"]


def test_evidence_of_strangers_says_nothing(tmp_path: Path) -> None:
    strange = evidence(("gone", "kids boots", 30.0), ("p1", "unheard of", 30.0))
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
    rows = "Rain boots,7,p1|p1|p3,p1\nboots rain,2,,\nRain boots,1,p3,\n"
    read = read_evidence(table(tmp_path / "s.csv", f"keyword,searches,clicked,purchased\n{rows}"), load())
    summed = read.pairs.group_by("product_id", "text").agg(pl.col("strength").sum())
    assert sorted(summed.rows()) == [("p1", "Rain boots", 12.0), ("p3", "Rain boots", 2.0)]
    assert dict(read.searches.iter_rows()) == {"Rain boots": 8, "boots rain": 2}
    rows = "2026-03-01,c1,p1,rain boots,50,4,1\n2026-03-02,,p1,boots rain,9,0,0\n"
    header = "day,campaign,product_id,keyword,impressions,clicks,purchases\n"
    read = read_evidence(table(tmp_path / "c.csv", header + rows), load())
    assert read.pairs.rows() == [("p1", "rain boots", 14.0)]
    assert read.searches.is_empty()


def test_a_historys_searches_stand_for_the_tables(tmp_path: Path) -> None:
    table(tmp_path / "searches.csv", "keyword,searches\nred boots,9000\nboots red,1000\nkids boots,1\n")
    keywords = table(tmp_path / "k.csv", "keyword,searches\nred boots,1\nkids boots,9000\n")
    offered = read_keywords(keywords, load(), searched=read_evidence(tmp_path, load()).searches)
    assert {one.text: one.volume for one in offered.keywords} == {"red boots": 10_000, "kids boots": 1}


def test_a_folders_products_lend_their_titles(tmp_path: Path) -> None:
    table(tmp_path / "products.csv", "product_id,title\nold,Red rain boots for kids\n")
    table(tmp_path / "searches.csv", "keyword,clicked\nrain boots,old|old|old|old\n")
    found = suggest(tmp_path, evidence=read_evidence(tmp_path, load()))
    assert of(found, "p1")[0] == "rain boots"


def test_a_folder_without_history_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="holds neither searches nor campaign_history"):
        read_evidence(tmp_path, load())


def test_junk_and_rare_searches_and_what_sellers_typed_are_kept_back(tmp_path: Path) -> None:
    rows = ("rain boots,40,shoppers", "kids boots,9,shoppers", "red boots,99,sellers", "www.shop.com boots,99,shoppers")
    path = table(tmp_path / "k.csv", "\n".join(["keyword,shoppers,typed_by", *rows]))
    offered = read_keywords(path, load(min_distinct_shoppers=10))
    assert [one.text for one in offered.keywords] == ["rain boots"]
    assert (offered.junk, offered.kept_back, offered.counted) == (1, 2, True)
    with pytest.raises(BadTable, match="no keyword is left: 1 are junk, 3 were typed by fewer than 50 shoppers"):
        read_keywords(path, load(min_distinct_shoppers=50))


def test_spellings_of_one_keyword_are_one(tmp_path: Path) -> None:
    slips = "wireless headphones,900\nwireless headphnes,3\nwirelss headphones,2\nheadphones wireless,40\n"
    keywords = f"keyword,searches\n{slips}wireless mouse,80\nwireless keyboard,70\nheadphones stand,50\n"
    found = suggest(tmp_path, "product_id,title\np1,Wireless headphones X5\n", keywords)
    assert of(found, "p1")[:1] == ["wireless headphones"]
    assert not {"wireless headphnes", "wirelss headphones"} & set(of(found, "p1"))


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
        (PRODUCTS, "keyword\n---\n🥾\n", r"k\.csv: no keyword is left: 2 are junk"),
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
        read_keywords(tmp_path / "nowhere.csv", load())
    with pytest.raises(BadTable, match=r"must end in \.parquet or \.csv"):
        suggest_command(tmp_path / "p.csv", tmp_path / "k.csv", tmp_path / "out.xlsx", 5, None, cleared=True)


def test_of_products_with_one_id_the_first_counts(tmp_path: Path) -> None:
    found = suggest(tmp_path, products="product_id,title\np1,Rain boots\np1,Desk lamp\n")
    assert of(found, "p1")[0] == "rain boots"
