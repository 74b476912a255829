"""Tables of products and keywords as retrieval takes them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from scorers.data.reading import BadTable, Read, read
from scorers.data.schemas import KEYWORDS, PRODUCTS
from scorers.keywords.table import Keyword
from streams.events import SCHEMA_VERSION, UNKNOWN_CATEGORY
from streams.messages import ProductState
from streams.normal_form import EMPTY, normal_form

_log = logging.getLogger(__name__)


def read_products(path: Path) -> list[ProductState]:
    """The products of a table in its order; of those with one id the first. A missing title is empty.

    Raises:
        BadTable: the file cannot be used, or a row has no product_id.
    """
    table = read(path, PRODUCTS)
    rows = _named(table, "product_id").unique("product_id", keep="first", maintain_order=True)
    if again := len(table.frame) - len(rows):
        _log.warning("%s: %d rows repeat the product_id of an earlier row and are left out", path, again)
    return [_product(row) for row in rows.iter_rows(named=True)]


def read_keywords(path: Path) -> list[Keyword]:
    """The keywords of a table by canonical form, displayed as the form that is searched most.

    Raises:
        BadTable: the file cannot be used, or holds no word.
    """
    rows = _named(read(path, KEYWORDS), "keyword")
    forms: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        forms.setdefault(normal_form(row["keyword"]), []).append(row)
    forms.pop(EMPTY, None)
    if not forms:
        raise BadTable(f"{path}: no keyword has a word in it")
    return [_keyword(canonical, typed) for canonical, typed in sorted(forms.items())]


def has_shoppers(path: Path) -> bool:
    """Whether the table says how many shoppers searched each keyword."""
    return "shoppers" in read(path, KEYWORDS).frame.columns


def _named(table: Read, column: str) -> pl.DataFrame:
    nameless = table.frame.get_column(column).is_null().arg_true()
    if len(nameless):
        raise BadTable(f"{table.path}: row {nameless[0] + 1} has no {column}; fill it or leave the row out")
    return table.frame


def _product(row: dict[str, Any]) -> ProductState:
    path = [level.strip() for level in (row.get("category_path") or "").split(">") if level.strip()]
    return ProductState(
        schema_version=SCHEMA_VERSION,
        item=row["product_id"],
        seller=row.get("seller") or "",
        title=row["title"] or "",
        category=row.get("category") or (path[-1] if path else UNKNOWN_CATEGORY),
        category_path=path,
        brand=row.get("brand"),
        condition=row.get("condition") or "new",
        specification=_specification(row.get("specification")),
        updated_at=0,
    )


def _specification(cell: str | None) -> dict[str, str]:
    told: dict[str, Any] = msgspec.json.decode(cell) if cell else {}
    return {name: str(value) for name, value in told.items() if value is not None}


def _keyword(canonical: str, typed: Iterable[dict[str, Any]]) -> Keyword:
    rows = sorted(typed, key=lambda row: (-(row.get("searches") or 0), row["keyword"]))
    return Keyword(
        canonical=canonical,
        text=rows[0]["keyword"],
        category=next((row["category"] for row in rows if row.get("category")), UNKNOWN_CATEGORY),
        volume=sum(row.get("searches") or 0 for row in rows),
        shoppers=max(row.get("shoppers") or 0 for row in rows),
    )
