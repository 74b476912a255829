"""What `keypulse data check` finds, and where."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scorers.data.check import Finding, as_json, as_text, check_folder, check_table
from scorers.data.cli import app
from scorers.data.reading import BadTable, Read, read
from scorers.data.schemas import PRODUCTS, TABLES

TODAY = date(2026, 3, 31)
PRODUCT_ROWS = "product_id,title,price\np1,Boots,20\np2,Lamp,30\n"
HISTORY_HEADER = "day,campaign,product_id,keyword,impressions,clicks,purchases\n"


def findings(folder: Path, table: str) -> dict[tuple[str, str], Finding]:
    report = next(one for one in check_folder(folder, TODAY) if one.table == table)
    return {(column.name, one.what): one for column in report.columns for one in column.findings}


def folder(place: Path, **tables: str) -> Path:
    for name, text in tables.items():
        (place / f"{name}.csv").write_text(text)
    return place


def test_a_sound_folder_is_sound(tmp_path: Path) -> None:
    history = HISTORY_HEADER + "2026-03-30,c1,p1,rain boots,10,2,1\n2026-03-30,,p1,rain boots,5,0,0\n"
    searches = "keyword,day,searches,clicked\nrain boots,2026-03-30,7,p1|p2|p1\nlamp,2026-03-30,1,\n"
    reports = check_folder(folder(tmp_path, products=PRODUCT_ROWS, campaign_history=history, searches=searches), TODAY)
    assert [report.table for report in reports] == ["products", "campaign_history", "searches"]
    assert not any(report.bad for report in reports)
    assert json.loads(as_json(reports))["ok"] is True
    campaign = next(column for column in reports[1].columns if column.name == "campaign")
    assert campaign.nulls == 1


def test_every_kind_of_fault_is_found_with_its_rows(tmp_path: Path) -> None:
    history = HISTORY_HEADER + (
        "2026-03-30,c1,p1,rain boots,10,2,1\n"
        "2026-03-30,c1,p1,rain boots,10,2,1\n"  # 2: the same key again
        "2026-03-30,c1,gone,boots,10,2,1\n"  # 3: no such product
        "2026-03-30,c1,p1,,10,2,1\n"  # 4: no keyword
        "2026-03-30,c1,p1,b,10,11,1\n"  # 5: more clicks than impressions
        "2026-03-30,c1,p1,c,-1,0,0\n"  # 6: below 0, and so fewer than the clicks
        "30.03.2026,c1,p1,d,1,0,1.5\n"  # 7: no date, no whole number
        "2026-04-01,c1,p1,e,1,0,0\n"  # 8: tomorrow
    )
    found = findings(folder(tmp_path, products=PRODUCT_ROWS, campaign_history=history), "campaign_history")
    assert {key: one.rows for key, one in found.items()} == {
        ("day", "duplicate"): [2],
        ("product_id", "reference"): [3],
        ("keyword", "null"): [4],
        ("clicks", "value"): [5, 6],
        ("impressions", "value"): [6],
        ("day", "type"): [7],
        ("purchases", "type"): [7],
        ("day", "value"): [8],
    }
    assert all(one.bad for one in found.values())


def test_references_in_a_list_are_looked_up_one_by_one(tmp_path: Path) -> None:
    searches = "keyword,clicked\nboots,p1|p2\nlamp,p1|gone\nrug,\n"
    found = findings(folder(tmp_path, products=PRODUCT_ROWS, searches=searches), "searches")
    assert found["clicked", "reference"].rows == [2]


def test_references_are_left_alone_without_the_other_table(tmp_path: Path) -> None:
    assert findings(folder(tmp_path, searches="keyword,clicked\nboots,p1\n"), "searches") == {}


def test_an_outlier_is_a_note(tmp_path: Path) -> None:
    rows = [f"p{number},Boots number {number},{20 + number}" for number in range(40)]
    rows[17] = "p17,Boots,9000000"
    rows[23] = f"p23,{'x' * 9_000},25"
    found = findings(folder(tmp_path, products="product_id,title,price\n" + "\n".join(rows)), "products")
    assert {key: (one.rows, one.bad) for key, one in found.items()} == {
        ("price", "outlier"): ([18], False),
        ("title", "outlier"): ([24], False),
    }


def test_no_more_rows_are_named_than_asked_for_but_all_are_counted(tmp_path: Path) -> None:
    keywords = "keyword,searches\n" + "\n".join(f"k{number},-1" for number in range(50))
    (report,) = check_folder(folder(tmp_path, keywords=keywords), TODAY, most_rows=3)
    (found,) = [one for column in report.columns for one in column.findings]
    assert (found.rows, found.count) == ([1, 2, 3], 50)


def test_an_optional_column_without_any_value_is_noted(tmp_path: Path) -> None:
    found = findings(folder(tmp_path, products="product_id,title,brand\np1,Boots,\np2,Lamp,\n"), "products")
    assert not found["brand", "all null"].bad


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file is empty"),
        ("product_id,title\n", "the table is empty"),
        ("product_id,name\np1,Boots\n", "column title is missing"),
        ("product_id,title\np1,\np2, \n", "column title has no value in any of its 2 rows"),
        ("product_id,title,Title\np1,a,b\n", "column title is there twice"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: str, why: str) -> None:
    (report,) = check_folder(folder(tmp_path, products=content), TODAY)
    assert report.bad
    assert why in report.error
    assert why in "\n".join(as_text([report]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("products.csv", "product_id,title\np1,Stiefel für Regen\n".encode("latin-1")),
        ("products.parquet", b"PAR1 nothing of the sort"),
        ("products.parquet", b""),
    ],
)
def test_a_file_of_another_kind_says_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (report,) = check_folder(tmp_path, TODAY)
    assert f"{tmp_path / name}: cannot be read as " in report.error


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_may_be_divided_otherwise(tmp_path: Path, separator: str) -> None:
    (tmp_path / "p.csv").write_text(f"product_id{separator}title\np1{separator}Boots\n")
    assert read(tmp_path / "p.csv", PRODUCTS).frame.rows() == [("p1", "Boots")]


def test_a_folder_without_tables_names_them(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="campaign_history"):
        check_folder(tmp_path, TODAY)


def test_the_command_ends_with_1_when_a_table_is_bad(tmp_path: Path) -> None:
    run = CliRunner().invoke
    good = folder(tmp_path, products=PRODUCT_ROWS)
    assert run(app, ["check", str(good)]).exit_code == 0
    bad = run(app, ["check", str(folder(tmp_path, products="product_id,title\np1,a\np1,b\n")), "--json"])
    assert bad.exit_code == 1
    told = json.loads(bad.stdout)
    assert told["ok"] is False
    assert told["tables"][0]["columns"][0]["findings"][0]["rows"] == [2]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12).filter(any))
def test_duplicates_and_nulls_are_counted_exactly(ids: list[str | None]) -> None:
    frame = pl.DataFrame({"product_id": ids, "title": ["t"] * len(ids)}, {"product_id": pl.String, "title": pl.String})
    report = check_table(Read(PRODUCTS, Path("products.csv"), frame, {}), {}, TODAY, most_rows=99)
    found = {one.what: one.rows for one in report.columns[0].findings}
    again = [row for row, one in enumerate(ids, start=1) if one in ids[: row - 1]]
    nulls = [row for row, one in enumerate(ids, start=1) if one is None]
    assert (found.get("duplicate", []), found.get("null", [])) == (again, nulls)


def test_parquet_and_csv_read_alike(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "keyword": ["boots", "lamp"],
            "day": [date(2026, 3, 1), date(2026, 3, 2)],
            "searches": [3, 4],
            "clicked": [["p1", "p2"], None],
        }
    )
    frame.write_parquet(tmp_path / "searches.parquet")
    frame.with_columns(pl.col("clicked").list.join("|")).write_csv(tmp_path / "searches.csv")
    table = TABLES["searches"]
    assert read(tmp_path / "searches.parquet", table).frame.equals(read(tmp_path / "searches.csv", table).frame)


def test_untidy_headers_and_cells_are_tidied(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("\ufeff Product_ID , TITLE,price\n p1 , Boots ,12.50\n".encode())
    assert read(tmp_path / "p.csv", PRODUCTS).frame.rows() == [("p1", "Boots", 12.5)]
