"""Raw keywords from tables and histories, and the commands as they are typed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl
import pytest
from typer.testing import CliRunner

from infra.settings import DAY_MS, load
from scorers.data.reading import BadTable
from scorers.history import History
from scorers.keywords.cli import app
from scorers.keywords.commands import filters_of
from scorers.keywords.dictionary import BadDictionary
from scorers.keywords.filters import BadBlockList
from scorers.keywords.raw import from_history, from_table, read_names, read_raw_keywords
from streams.contracts.messages import CampaignKeyword, CampaignState, ProductState

NOW = 1_700_000_000_000


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = ["keyword,searches,shoppers"]
    rows += [f"{brand} headphones,{900 + place},40" for place, brand in enumerate(("wireless", "gaming", "studio"))]
    rows += ["headphones,2000,90", "hedphones wireless,2,2", "wirless headphones,3,3", "www.shop.example.com,5,5"]
    path = tmp_path / "keywords.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def history(tmp_path: Path) -> Path:
    texts = ["rain boots", "rain boots", "boots for rain", "old boots"]
    days_ago = [0, 1, 2, 40]
    pl.DataFrame(
        {
            "event_id": ["e1", "e2", "e3", "e4"],
            "event_time": [NOW - days * DAY_MS for days in days_ago],
            "shopper": ["s1", "s2", "s2", "s3"],
            "query": texts,
            "category": ["boots"] * 4,
        }
    ).write_parquet(tmp_path / "search.parquet")
    campaign = CampaignState(
        schema_version=1,
        campaign="c1",
        seller="a",
        items=["i1"],
        keywords=[CampaignKeyword(text="rain boots"), CampaignKeyword(text="smith reunion boots")],
        category="boots",
        starts_at=NOW,
        updated_at=NOW,
    )
    product = ProductState(
        schema_version=1, item="i1", seller="a", title="Boots", category="boots", brand="Veloxa", updated_at=NOW
    )
    (tmp_path / "campaigns.jsonl").write_bytes(msgspec.json.encode(campaign))
    (tmp_path / "products.jsonl").write_bytes(msgspec.json.encode(product))
    return tmp_path


def test_a_history_gives_searches_sellers_words_and_brands(history: Path) -> None:
    raw = from_history(History(history))
    assert raw.table.rows() == [
        ("boots for rain", 1, 1, False),
        ("old boots", 1, 1, False),
        ("rain boots", 2, 2, False),
        ("smith reunion boots", 0, 0, True),
    ]
    assert raw.searches is not None
    assert sorted(raw.searches.rows()) == [("boots for rain", "s2"), ("rain boots", "s1"), ("rain boots", "s2")]
    assert raw.names == ("Veloxa",)


def test_a_text_that_comes_twice_counts_once() -> None:
    rows = pl.DataFrame({"keyword": ["a b", "a b", None], "searches": [2, 3, 9], "shoppers": [1, 2, 9]})
    assert from_table(rows).rows() == [("a b", 5, 2, False)]
    assert from_table(rows.select("keyword")).rows() == [("a b", 2, None, False)]
    typed = rows.select("keyword").with_columns(typed_by=pl.Series(["sellers", "sellers", None]))
    assert from_table(typed).rows() == [("a b", 2, None, True)]


def test_clean_and_explain(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "dictionary"
    cleaned = CliRunner().invoke(app, ["clean", str(table), "--out", str(out)])
    assert cleaned.exit_code == 0, cleaned.output
    assert "7 texts, 1 of them junk" in cleaned.output
    statuses = dict(pl.read_parquet(out / "clusters.parquet").select("text", "status").iter_rows())
    assert statuses["wireless headphones"] == "suggestable"
    explained = CliRunner().invoke(app, ["explain", "hedphones wirless", "--dictionary", str(out), "--json"])
    told = msgspec.json.decode(explained.output)
    assert told["key"] == "headphone wireless"
    assert [step["name"] for step in told["steps"]][:2] == ["folded", "words"]
    shown = CliRunner().invoke(app, ["explain", "hedphones wirless", "--dictionary", str(out)])
    assert "spelling" in shown.output


def test_nothing_is_suggestable_where_nobody_counted_shoppers_unless_cleared(table: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("keyword\nrain boots\nred lamp\n")
    kept = CliRunner().invoke(app, ["clean", str(bare), "--out", str(tmp_path / "d")])
    assert "0 may be suggested to everyone" in kept.output
    assert "--cleared" in kept.output
    cleared = CliRunner().invoke(app, ["clean", str(bare), "--out", str(tmp_path / "d"), "--cleared"])
    assert "2 may be suggested to everyone" in cleared.output


def test_what_is_no_dictionary_or_holds_no_keyword_is_not_published(tmp_path: Path) -> None:
    nowhere = CliRunner().invoke(app, ["publish", "--dictionary", str(tmp_path / "nowhere")])
    assert isinstance(nowhere.exception, BadDictionary)
    assert "keypulse keywords clean" in str(nowhere.exception)
    junk = tmp_path / "junk.csv"
    junk.write_text("keyword\nwww.shop.example.com\n")
    CliRunner().invoke(app, ["clean", str(junk), "--out", str(tmp_path / "empty")])
    empty = CliRunner().invoke(app, ["publish", "--dictionary", str(tmp_path / "empty")])
    assert isinstance(empty.exception, BadDictionary)
    assert "none of its 1 texts is a keyword" in str(empty.exception)
    both = CliRunner().invoke(app, ["publish", "--none", "--dictionary", str(tmp_path / "empty")])
    assert (both.exit_code, "either --dictionary or --none" in both.output) == (2, True)


def test_evaluate_writes_its_report(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    judged = CliRunner().invoke(app, ["evaluate", "--texts", "600", "--out", str(out)])
    assert judged.exit_code == 0, judged.output
    report = msgspec.json.decode(out.read_bytes())
    assert {one["corpus"] for one in report["judgements"]} >= {"simulator", "held out"}
    assert all({"name", "figure", "asked", "met"} == set(target) for target in report["targets"])


def test_bad_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="no such file"):
        read_raw_keywords(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("text\nboots\n")
    with pytest.raises(BadTable, match="column keyword is missing"):
        read_raw_keywords(tmp_path / "other.csv")
    (tmp_path / "products.csv").write_text("product_id,title\n1,boots\n")
    with pytest.raises(BadTable, match="column brand is missing"):
        read_names(tmp_path / "products.csv")
    with pytest.raises(BadBlockList, match="block list"):
        filters_of(load(keyword_block_list=tmp_path / "none.txt"))
    explained = CliRunner().invoke(app, ["explain", "boots", "--dictionary", str(tmp_path)])
    assert isinstance(explained.exception, BadDictionary)


def test_the_block_list_is_words_and_phrases_with_comments(tmp_path: Path) -> None:
    path = tmp_path / "blocked.txt"
    path.write_text("# policy\nreplica watches  # fakes\n\nvape\n")
    filters = filters_of(load(keyword_block_list=path))
    assert filters.blocked == (("replica", "watch"), ("vape",))
