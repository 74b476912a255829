"""A team's own catalogue as the market's goods: read from CSV or Parquet, untidy as it may be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from infra.failure import Failure
from streams.contracts.events import SCHEMA_VERSION, UNKNOWN_CATEGORY
from streams.contracts.messages import ProductState
from streams.simulator.catalogue import BRAND, CONDITION, Catalogue, Vocabulary, assign_sellers, listing_times
from streams.simulator.shelving import Shelving, shelve

_ALIASES = {
    "title": ("title", "name", "product_name"),
    "category": ("category_path", "category", "categories", "product_category_tree"),
    "price": ("price", "selling_price", "retail_price"),
    "brand": ("brand", "manufacturer"),
    "specification": ("specification", "specifications", "specs", "attributes"),
    "item": ("product_id", "item", "item_id", "id", "sku"),
}
_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MOST_ENTRIES, _LONGEST_VALUE = 40, 200


class WrongCatalogue(Failure):
    """The file is no catalogue."""

    exit_code = 2


@dataclass
class Row:
    """One product as the file has it, tidied; what it lacks is empty or None."""

    item: str
    title: str
    path: tuple[str, ...] = ()
    price: float | None = None
    """Whole currency units."""
    brand: str | None = None
    specification: dict[str, str] = field(default_factory=dict)


def read_catalogue(file: Path, seed: int, start_ms: int, until_ms: int) -> Catalogue:
    """The products of `file`. Rows without a title are left out; a missing category, price or brand stays missing.

    Raises:
        WrongCatalogue: the file cannot be read, or has no titles.
    """
    rows = read_rows(file)
    return _catalogue(np.random.default_rng([seed, 7]), rows, shelve(rows), start_ms, until_ms)


def read_rows(file: Path) -> list[Row]:
    """The file's rows that have a title. Raises `WrongCatalogue`."""
    try:
        frame = pl.read_parquet(file) if file.suffix.lower() == ".parquet" else pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise WrongCatalogue(f"--catalogue {file}: cannot be read as CSV or Parquet: {error}") from None
    by_name = {name.strip().lower(): name for name in frame.columns}
    column = {}
    for wanted, names in _ALIASES.items():
        column[wanted] = next((by_name[name] for name in names if name in by_name), None)
    if column["title"] is None:
        raise WrongCatalogue(f"--catalogue {file}: no column `title`; it has {', '.join(frame.columns) or 'none'}")
    rows: list[Row] = []
    taken: set[str] = set()
    for record in frame.iter_rows(named=True):
        cell = {wanted: record[name] if name else None for wanted, name in column.items()}
        title = " ".join(str(cell["title"] or "").split())
        if not title:
            continue
        item = str(cell["item"] or "")
        if not _ID.match(item) or item in taken:
            item = f"p{len(rows):06d}"
        taken.add(item)
        specification = _specification(cell["specification"])
        brand = str(cell["brand"] or specification.get("Brand") or "").strip()[:200]
        rows.append(
            Row(item, title[:1_000], _path(cell["category"]), _price(cell["price"]), brand or None, specification)
        )
    if not rows:
        raise WrongCatalogue(f"--catalogue {file}: no row has a title")
    return rows


def _path(cell: object) -> tuple[str, ...]:
    text = str(cell or "").strip('[]" ')
    return tuple(level.strip()[:100] for level in re.split(r">>|>", text) if level.strip())[:20]


def _price(cell: object) -> float | None:
    found = _NUMBER.search(str(cell or ""))
    price = float(found[0].replace(",", "")) if found else 0.0
    return price if 0 < price < 1e9 else None


def _specification(cell: object) -> dict[str, str]:
    """Key-values of a JSON object; empty when it is missing or is no JSON object."""
    try:
        read = json.loads(cell) if isinstance(cell, str) else cell
    except json.JSONDecodeError:
        return {}
    if not isinstance(read, dict):
        return {}
    told = {str(key).strip(): str(value).strip() for key, value in read.items() if key and value}
    return {key[:_LONGEST_VALUE]: value[:_LONGEST_VALUE] for key, value in list(told.items())[:_MOST_ENTRIES]}


def _catalogue(
    rng: np.random.Generator, rows: list[Row], shelving: Shelving, start_ms: int, until_ms: int
) -> Catalogue:
    vocabulary = Vocabulary(shelving.shelves)
    shelf = np.array(shelving.shelf_of)
    values = np.full((len(rows), len(vocabulary.attributes)), -1, dtype=np.int64)
    values[:, CONDITION] = vocabulary.facet("condition", "new")
    noun = np.full(len(rows), -1, dtype=np.int64)
    price = np.empty(len(rows))
    sellers, listed = assign_sellers(rng, shelf), listing_times(rng, len(rows), start_ms, until_ms)
    products = []
    for place, row in enumerate(rows):
        for attribute, value in shelving.facets_of[place].items():
            values[place, vocabulary.attributes.index(attribute)] = vocabulary.facet(attribute, value)
        if row.brand:
            values[place, BRAND] = vocabulary.facet("brand", row.brand.lower())
        said = shelving.noun_of[place]
        if said is not None:
            first = int(np.flatnonzero(vocabulary.noun_shelf == shelf[place])[0])
            noun[place] = first + shelving.shelves[shelf[place]].nouns.index(said)
        price[place] = 100 * (row.price or shelving.shelves[shelf[place]].price)
        products.append(
            ProductState(
                schema_version=SCHEMA_VERSION,
                item=row.item,
                seller=sellers[place],
                title=row.title,
                category=shelving.category_of[place] or UNKNOWN_CATEGORY,
                category_path=list(row.path),
                price=None if row.price is None else round(100 * row.price),
                brand=row.brand,
                specification=row.specification,
                updated_at=int(listed[place]),
            )
        )
    return Catalogue(vocabulary, products, shelf, noun, values, price)
