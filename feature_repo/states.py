"""What the state topics say about items, campaigns and categories, as Feast views: names and types of their fields.

Views named here lie in the online store beside the sums of the same entity. They are read as they are now: no history
is kept of them, and no model takes them but through a pure function of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FieldType = Literal["string", "int64", "strings"]
Value = str | int | list[str] | None
_PYTHON_TYPES: dict[FieldType, type] = {"string": str, "int64": int, "strings": list}


@dataclass(frozen=True)
class StateView:
    """A view: its name, the kind of entity it describes, its fields in order.

    Every view has `updated_at` (ms): the row's event timestamp.
    """

    name: str
    kind: str
    fields: dict[str, FieldType]


PRODUCT = StateView(
    "product",
    kind="item",
    fields={
        "title": "string",
        "category": "string",
        "category_path": "strings",
        "price": "int64",  # minor units; null when not known, and so is shipping
        "shipping": "int64",
        "condition": "string",
        "brand": "string",
        "seller": "string",
        "specification": "string",  # a JSON object
        "updated_at": "int64",
    },
)
CAMPAIGN = StateView(
    "campaign",
    kind="campaign",
    fields={
        "state": "string",  # the whole CampaignState as JSON
        "status": "string",
        "seller": "string",
        "category": "string",
        "updated_at": "int64",
    },
)
CATEGORY_ITEMS = StateView("category_items", kind="category", fields={"live_items": "int64", "updated_at": "int64"})

STATE_VIEWS = {view.name: view for view in (PRODUCT, CAMPAIGN, CATEGORY_ITEMS)}
"""All state views, by name."""


def check_row(view: StateView, row: Mapping[str, Value]) -> tuple[str, int]:
    """The entity's key and the row's time (ms) of a row that has the view's fields, and the key under the view's kind.

    Raises:
        ValueError: a field is missing or of another type; the text names it.
    """
    key, updated_at = row.get(view.kind), row.get("updated_at")
    if not isinstance(key, str) or not isinstance(updated_at, int):
        raise ValueError(f"{view.name}: {view.kind} (text) and updated_at (ms): got {key!r}, {updated_at!r}")
    for field, type_ in view.fields.items():
        if field not in row:
            raise ValueError(f"{view.name} {key!r}: {field} is missing; give None where it isn't known")
        if row[field] is not None and not isinstance(row[field], _PYTHON_TYPES[type_]):
            raise ValueError(f"{view.name} {key!r}: {field} is {row[field]!r}, expected {type_}")
    return key, updated_at
