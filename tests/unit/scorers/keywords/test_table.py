"""The keyword table, and who may see a keyword's text."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl
import pytest

from infra.settings import DAY_MS
from scorers.keywords.table import Keyword, keyword_table, may_show, read_table, write_table
from streams.canonical import CanonicalForms
from streams.contracts.messages import CampaignKeyword, CampaignState

NOW = 1_700_000_000_000


def searches(*rows: tuple[int, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=["event_time", "shopper", "query", "category"], orient="row")


def campaign(seller: str, *texts: str, category: str = "boots") -> CampaignState:
    return CampaignState(
        schema_version=1,
        campaign=f"c-{seller}",
        seller=seller,
        items=["i1"],
        keywords=[CampaignKeyword(text=text) for text in texts],
        category=category,
        starts_at=NOW,
        updated_at=NOW,
    )


@pytest.fixture
def table() -> dict[str, Keyword]:
    history = searches(
        (NOW, "s1", "rain boots", "boots"),
        (NOW - 2 * DAY_MS, "s1", "boots for rain", "boots"),
        (NOW, "s2", "rain boots", "unknown"),
        (NOW, "s2", "rain boots", "shoes"),
        (NOW, "s2", "??", "boots"),
    )
    campaigns = [
        campaign("a", "Rain Boot", "smith family reunion boots", "green wellies"),
        campaign("b", "wellies green", "green wellies"),
        campaign("c", "reunion boots smith family"),
    ]
    return {keyword.canonical: keyword for keyword in keyword_table(history, campaigns)}


def test_variants_are_counted_together_and_the_most_typed_form_is_shown(table: dict[str, Keyword]) -> None:
    boots = table["boot rain"]
    assert (boots.text, boots.volume, boots.volume_last_day, boots.shoppers) == ("rain boots", 4, 3, 2)
    assert boots.category == "boots"
    assert boots.first_searched_at == NOW - 2 * DAY_MS


def test_text_without_a_word_is_no_keyword(table: dict[str, Keyword]) -> None:
    assert set(table) == {"boot rain", "boot famili reunion smith", "green welli"}


def test_text_of_one_seller_is_hidden_from_others(table: dict[str, Keyword]) -> None:
    private = table["boot famili reunion smith"]
    owner = private.sellers[0]
    assert len(private.sellers) == 1
    assert may_show(private, owner)
    assert not may_show(private, "b")
    # Seller c typed the same words otherwise: still not that very text.
    assert [seller for seller in "abc" if may_show(private, seller)] == [owner]


def test_text_that_sellers_alone_typed_is_theirs_and_a_shoppers_may_be_shown(table: dict[str, Keyword]) -> None:
    assert table["green welli"].text == "green wellies"
    assert [seller for seller in "abz" if may_show(table["green welli"], seller)] == ["a", "b"]
    assert may_show(table["boot rain"], "z")


def test_what_too_few_shoppers_typed_lately_is_withheld() -> None:
    old = [(NOW - 31 * DAY_MS, f"old {number}", "wide boots", "boots") for number in range(9)]
    new = [(NOW, f"new {number}", text, "boots") for number in range(3) for text in ("rain boots", "boots for rain")]
    rows = keyword_table(searches(*old, *new), [campaign("a", "wide boots")], min_distinct_shoppers=3)
    rain, wide = rows
    assert (rain.shoppers, rain.withheld, may_show(rain, "z")) == (3, False, True)
    assert (wide.shoppers, wide.withheld, may_show(wide, "z"), may_show(wide, "a")) == (0, True, False, True)
    assert wide.volume == 9


def test_rivals_are_sellers_whose_keywords_match() -> None:
    wide = campaign("w")
    wide = msgspec.structs.replace(wide, keywords=[CampaignKeyword(text="boots", match_type="broad")])
    exact = [campaign("a", "boots"), campaign("b", "red boots"), campaign("c", "boots red")]
    rivals = {row.canonical: row.rivals for row in keyword_table(_empty(), [wide, *exact])}
    assert rivals == {"boot": 2, "boot red": 3}


def test_the_table_survives_parquet(table: dict[str, Keyword], tmp_path: Path) -> None:
    write_table(tmp_path / "keywords.parquet", table.values())
    assert {row.canonical: row for row in read_table(tmp_path / "keywords.parquet")} == table


def test_no_history_gives_an_empty_table(tmp_path: Path) -> None:
    assert keyword_table(_empty(), []) == []
    write_table(tmp_path / "keywords.parquet", [])
    assert read_table(tmp_path / "keywords.parquet") == []


def _empty() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"event_time": pl.Int64, "shopper": pl.String, "query": pl.String, "category": pl.String}
    )


def test_a_dictionary_says_what_is_one_keyword() -> None:
    canonical = CanonicalForms("v1", {"rian boots": "boot rain", "boots in the rain": "boot rain ~in"})
    history = searches(
        (NOW, "s1", "rian boots", "boots"),
        (NOW, "s2", "rain boots", "boots"),
        (NOW, "s3", "Rain  boots", "boots"),
        (NOW, "s4", "rain boots", "boots"),
        (NOW, "s5", "boots in the rain", "boots"),
    )
    campaigns = [campaign("a", "RIAN boots"), campaign("b", "boots in the rain"), campaign("c", "boots rain")]
    table = {one.canonical: one for one in keyword_table(history, campaigns, canonical=canonical)}
    assert {form: (one.text, one.volume, one.shoppers, one.rivals) for form, one in table.items()} == {
        "boot rain": ("rain boots", 4, 4, 2),
        "boot rain ~in": ("boots in the rain", 1, 1, 1),
    }


def test_a_broad_keyword_matches_words_whatever_tells_forms_apart() -> None:
    canonical = CanonicalForms("v1", {"boots in the rain": "boot rain ~in"})
    history = searches((NOW, "s1", "boots in the rain", "boots"), (NOW, "s2", "red rain boots", "boots"))
    broad = msgspec.structs.replace(
        campaign("a"), keywords=[CampaignKeyword(text="boots in the rain", match_type="broad")]
    )
    table = keyword_table(history, [broad], canonical=canonical)
    assert {one.canonical: one.rivals for one in table} == {"boot rain ~in": 1, "boot rain red": 1}
