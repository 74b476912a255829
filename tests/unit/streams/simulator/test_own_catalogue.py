"""A team's own products, untidy as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from infra.settings import DAY_MS
from streams.contracts.events import UNKNOWN_CATEGORY
from streams.simulator.own_catalogue import WrongCatalogue, read_catalogue, read_rows
from streams.simulator.sellers import TooFewProducts
from tests.market import UNTIL_MS, make_market, make_past

CATEGORIES = {"Trail Boots": "Trail Boots", "Rain Jacket": "Rain Jackets", "Camping Tent": "Camping Tents"}
HEADER = "product_id,title,category_path,price,brand,specification\n"


def untidy(folder: Path, suffix: str = ".csv") -> Path:
    """120 products in three categories with most of what can be wrong."""
    rows = []
    for number in range(120):
        kind = list(CATEGORIES)[number % 3]
        maker = ("Acme", "Bolt", "Corvo", "")[number % 4]
        path = f"Outdoor > {CATEGORIES[kind]}" + (f" > {maker} {CATEGORIES[kind]}" if maker else "")
        color = ("red", "blue", "green")[number % 5 % 3]
        specification = json.dumps({"Color": color, "Material": "Canvas" if number % 2 else "Nylon", "Brand": maker})
        rows.append(
            {
                "product_id": f"P{number}" if number % 11 else "no good id!",
                "title": f"{maker} Light {color} {kind}".strip() if number != 5 else "   ",
                "category_path": path if number % 7 else None,
                "price": ("1,299.50", "₹ 480", "", "free", None, "75")[number % 6],
                "brand": maker or None,
                "specification": specification if number % 13 else "{broken",
            }
        )
    frame = pl.DataFrame(rows)
    file = folder / f"goods{suffix}"
    frame.write_parquet(file) if suffix == ".parquet" else frame.write_csv(file)
    return file


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_untidy_rows_become_products(tmp_path: Path, suffix: str) -> None:
    catalogue = read_catalogue(untidy(tmp_path, suffix), 1, UNTIL_MS - DAY_MS, UNTIL_MS)
    products = catalogue.products
    assert len(products) == 119
    assert len({product.item for product in products}) == 119
    by_id = {product.item: product for product in products}
    assert by_id["p000000"].category == UNKNOWN_CATEGORY
    assert by_id["P1"].category == "Rain Jackets"
    assert by_id["P1"].category_path[0] == "Outdoor"
    assert by_id["P6"].price == 129_950
    assert by_id["P1"].price == 48_000
    assert by_id["P2"].price is None
    assert by_id["P3"].price is None
    assert by_id["P3"].brand is None
    assert by_id["P13"].specification == {}
    assert (catalogue.price > 0).all()


def test_a_product_without_category_stands_where_its_title_belongs(tmp_path: Path) -> None:
    catalogue = read_catalogue(untidy(tmp_path), 1, UNTIL_MS - DAY_MS, UNTIL_MS)
    assert {shelf.name for shelf in catalogue.shelves} == set(CATEGORIES.values())
    lost = [place for place, product in enumerate(catalogue.products) if product.category == UNKNOWN_CATEGORY]
    assert lost
    for place in lost:
        noun = catalogue.products[place].title.split()[-1].lower()
        assert noun in catalogue.shelves[catalogue.shelf[place]].name.lower()


def test_a_market_around_it_draws_keywords_from_its_titles_and_specifications(tmp_path: Path) -> None:
    catalogue = read_catalogue(untidy(tmp_path), 1, UNTIL_MS - 2 * DAY_MS, UNTIL_MS)
    market = make_market(seed=3, events=20_000, days=2, catalogue=catalogue, campaigns=30, keywords=600)
    assert {"trail boots", "rain jacket"} & set(market.concepts.text)
    assert any("red" in text and "boots" in text for text in market.concepts.text)
    past = make_past(market, tmp_path / "history")
    assert past.written.rows["click"] > 300
    assert set(past.read("impression")["item"]) <= {product.item for product in catalogue.products}
    assert np.isin(UNKNOWN_CATEGORY, past.read("impression")["category"].to_numpy())


def test_titles_alone_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "titles.csv"
    file.write_text("title\n" + "\n".join(f"Acme {color} garden hose" for color in ("red", "blue") * 30))
    market = make_market(
        seed=3,
        events=5_000,
        days=1,
        catalogue=read_catalogue(file, 1, UNTIL_MS - DAY_MS, UNTIL_MS),
        campaigns=10,
        keywords=200,
    )
    assert "garden hose" in market.concepts.text
    assert {product.category for product in market.catalogue.products} == {UNKNOWN_CATEGORY}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("product_id,price\n1,2\n", "no column `title`; it has product_id, price"),
        (HEADER, "no row has a title"),
        (HEADER + "1,,,,,\n", "no row has a title"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_with_the_reason(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "goods.csv"
    file.write_text(text)
    with pytest.raises(WrongCatalogue, match=told):
        read_rows(file)


def test_more_campaigns_than_products_are_refused(tmp_path: Path) -> None:
    catalogue = read_catalogue(untidy(tmp_path), 1, UNTIL_MS - DAY_MS, UNTIL_MS)
    with pytest.raises(TooFewProducts, match="119 products"):
        make_market(seed=3, events=5_000, days=1, catalogue=catalogue, campaigns=500, keywords=300)
