"""Public data sets in their own formats, small ones written here."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from scorers.data.check import check_folder
from scorers.data.cli import app
from scorers.data.importing import esci, wands
from scorers.data.reading import BadTable
from scorers.data.writing import write

EXAMPLES = {
    "example_id": [0, 1, 2, 3, 4],
    "query": ["rain boots", "rain boots", "rain boots", "umbrella", "botas"],
    "query_id": [7, 7, 7, 8, 9],
    "product_id": ["B01", "B02", "B03", "B03", "B01"],
    "product_locale": ["us", "us", "us", "us", "es"],
    "esci_label": ["E", "S", "I", "E", "E"],
    "small_version": [1, 1, 1, 0, 1],
    "large_version": [1, 1, 1, 1, 1],
    "split": ["train", "train", "test", "test", "train"],
}
PRODUCTS = {
    "product_id": ["B01", "B02", "B03", "B01"],
    "product_title": ["Rubber boots", "Leather boots", "Umbrella <b>XL</b>", "Botas de goma"],
    "product_description": ["<p>Dry feet</p>", None, None, None],
    "product_bullet_point": ["Waterproof", None, "Windproof", None],
    "product_brand": ["Drywell", None, "Canopia", "Drywell"],
    "product_color": ["Yellow", "", None, "Amarillo"],
    "product_locale": ["us", "us", "us", "es"],
}
WANDS = {
    "query.csv": "query_id\tquery\tquery_class\n0\tsalon chair\tMassage Chairs\n1\tsmart coffee table\tCoffee Tables\n",
    "product.csv": "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\tproduct_features"
    "\trating_count\taverage_rating\treview_count\n"
    "0\tsolid wood platform bed\tBeds\tFurniture / Bedroom Furniture / Beds\tgood , deep sleep\t"
    "overallwidth-sidetoside:64.7|color : brown|color : black\t15.0\t4.5\t15.0\n"
    "1\thydraulic barber chair , 29 '' wide\tMassage Chairs|Salon Chairs\tBusiness / Salon\t\t\t\t\t\n",
    "label.csv": "id\tquery_id\tproduct_id\tlabel\n0\t0\t1\tExact\n1\t0\t0\tIrrelevant\n2\t1\t0\tPartial\n",
}
TODAY = date(2026, 3, 31)


@pytest.fixture
def esci_files(tmp_path: Path) -> tuple[Path, Path]:
    examples, products = tmp_path / "examples.parquet", tmp_path / "products.parquet"
    pl.DataFrame(EXAMPLES).write_parquet(examples)
    pl.DataFrame(PRODUCTS).write_parquet(products)
    return examples, products


@pytest.fixture
def wands_folder(tmp_path: Path) -> Path:
    for name, text in WANDS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_esci(esci_files: tuple[Path, Path], tmp_path: Path) -> None:
    tables = esci(*esci_files)
    assert tables["products"].rows(named=True)[0] == {
        "product_id": "B01",
        "title": "Rubber boots",
        "brand": "Drywell",
        "specification": '{"Color":"Yellow"}',
    }
    assert tables["products"].get_column("specification").to_list()[1:] == [None, None]
    assert tables["keywords"].get_column("keyword").to_list() == ["rain boots", "umbrella"]
    assert sorted(tables["relevance"].rows()) == [
        ("rain boots", "B01", 1.0, "E"),
        ("rain boots", "B02", 0.1, "S"),
        ("rain boots", "B03", 0.0, "I"),
        ("umbrella", "B03", 1.0, "E"),
    ]
    write(tmp_path / "tables", tables)
    assert not any(report.bad for report in check_folder(tmp_path / "tables", TODAY))


def test_esci_of_another_locale(esci_files: tuple[Path, Path]) -> None:
    assert esci(*esci_files, locale="es")["products"].get_column("title").to_list() == ["Botas de goma"]
    with pytest.raises(BadTable, match="no row has product_locale 'jp'; there are es, us"):
        esci(*esci_files, locale="jp")


def test_wands(wands_folder: Path, tmp_path: Path) -> None:
    tables = wands(wands_folder)
    bed, chair = tables["products"].rows(named=True)
    assert (bed["title"], bed["category"]) == ("solid wood platform bed", "Beds")
    assert bed["category_path"] == "Furniture > Bedroom Furniture > Beds"
    assert json.loads(bed["specification"]) == {"overallwidth-sidetoside": "64.7", "color": "brown, black"}
    assert (chair["category"], chair["specification"]) == ("Massage Chairs", None)
    assert sorted(tables["relevance"].rows()) == [
        ("salon chair", "0", 0.0, "Irrelevant"),
        ("salon chair", "1", 1.0, "Exact"),
        ("smart coffee table", "0", 0.5, "Partial"),
    ]
    write(tmp_path / "tables", tables, csv=True)
    assert not any(report.bad for report in check_folder(tmp_path / "tables", TODAY))


def test_an_unknown_label_and_an_unknown_query_are_refused(wands_folder: Path) -> None:
    label = wands_folder / "label.csv"
    label.write_text(WANDS["label.csv"] + "3\t1\t1\tMaybe\n")
    with pytest.raises(BadTable, match=r"label\.csv: label 'Maybe' is none of Exact, Partial, Irrelevant"):
        wands(wands_folder)
    label.write_text(WANDS["label.csv"] + "3\t99\t1\tExact\n")
    with pytest.raises(BadTable, match=r"label\.csv: query_id 99 is not in query\.csv"):
        wands(wands_folder)


def test_a_missing_column_and_a_missing_file_are_named(esci_files: tuple[Path, Path], tmp_path: Path) -> None:
    examples, products = esci_files
    with pytest.raises(BadTable, match="column query is missing; it has product_id, product_title"):
        esci(products, products)
    with pytest.raises(BadTable, match="no such file"):
        esci(examples, tmp_path / "nowhere.parquet")


def test_the_commands_write_tables(esci_files: tuple[Path, Path], tmp_path: Path) -> None:
    for name, text in WANDS.items():
        (tmp_path / name).write_text(text)
    run = CliRunner().invoke
    from_esci = run(app, ["import", "esci", *map(str, esci_files), "--out", str(tmp_path / "a")])
    assert from_esci.stdout == f"{tmp_path / 'a'}: products 3, keywords 2, relevance 4\n"
    from_wands = run(app, ["import", "wands", str(tmp_path), "--out", str(tmp_path / "b"), "--csv"])
    assert from_wands.stdout == f"{tmp_path / 'b'}: products 2, keywords 2, relevance 3\n"
    assert (tmp_path / "b" / "relevance.csv").exists()
