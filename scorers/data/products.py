"""A table of products as retrieval and ranking take them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec

from scorers.data.reading import BadTable, read
from scorers.data.schemas import PRODUCTS
from streams.contracts.events import SCHEMA_VERSION, UNKNOWN_CATEGORY
from streams.contracts.messages import ProductState

_log = logging.getLogger(__name__)
CENTS = 100


def read_products(path: Path) -> list[ProductState]:
    """The products of a table in its order; of those with one id the first. A missing title is empty.

    Raises:
        BadTable: the file cannot be used, or a row has no product_id.
    """
    table = read(path, PRODUCTS)
    nameless = table.frame.get_column("product_id").is_null().arg_true()
    if len(nameless):
        raise BadTable(f"{path}: row {nameless[0] + 1} has no product_id; fill it or leave the row out")
    rows = table.frame.unique("product_id", keep="first", maintain_order=True)
    if again := len(table.frame) - len(rows):
        _log.warning("%s: %d rows repeat the product_id of an earlier row and are left out", path, again)
    return [_product(row) for row in rows.iter_rows(named=True)]


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
        price=_cents(row.get("price")),
        shipping=_cents(row.get("shipping")),
        specification=_specification(row.get("specification")),
        updated_at=0,
    )


def _cents(amount: float | None) -> int | None:
    return None if amount is None else round(amount * CENTS)


def _specification(cell: str | None) -> dict[str, str]:
    told: dict[str, Any] = msgspec.json.decode(cell) if cell else {}
    return {name: str(value) for name, value in told.items() if value is not None}
