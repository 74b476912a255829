"""Which changes of a message are allowed, and which are not: each rule of the decision record has its example here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from streams.contracts.compatibility import Schema, compatibility


class Inner(msgspec.Struct):
    size: int


def schema(fields: dict[str, Any], optional: dict[str, tuple[Any, Any]] | None = None, **options: Any) -> Schema:
    """JSON Schema of a message with required `fields` and `optional` ones (type, default)."""
    declared: list[Any] = list(fields.items())
    declared += [(name, kind, default) for name, (kind, default) in (optional or {}).items()]
    return msgspec.json.schema(msgspec.defstruct("M", declared, **options))


BASE = schema({"id": str, "n": int}, {"note": (str, "")})

ALLOWED_IN_FULL = {
    "nothing": BASE,
    "an optional field comes": schema({"id": str, "n": int}, {"note": (str, ""), "more": (int, 0)}),
    "an optional field goes": schema({"id": str, "n": int}),
    "fields change places": schema({"n": int, "id": str}, {"note": (str, "")}),
}
# what changes -> (previous, current, breaks BACKWARD, breaks FORWARD)
RESTRICTED: dict[str, tuple[Schema, Schema, bool, bool]] = {
    "a required field comes": (BASE, schema({"id": str, "n": int, "x": int}, {"note": (str, "")}), True, False),
    "a required field goes": (BASE, schema({"id": str}, {"note": (str, "")}), False, True),
    "a required field becomes optional": (
        BASE,
        schema({"id": str}, {"note": (str, ""), "n": (int, 0)}),
        False,
        True,
    ),
    "an optional field becomes required": (BASE, schema({"id": str, "n": int, "note": str}), True, False),
    "a field is renamed": (BASE, schema({"id": str, "m": int}, {"note": (str, "")}), True, True),
    "a type changes": (BASE, schema({"id": str, "n": str}, {"note": (str, "")}), True, True),
    "whole numbers become any": (BASE, schema({"id": str, "n": float}, {"note": (str, "")}), False, True),
    "a default changes": (BASE, schema({"id": str, "n": int}, {"note": (str, "x")}), True, True),
    "null becomes possible": (BASE, schema({"id": str, "n": int | None}, {"note": (str, "")}), False, True),
    "a limit is widened": (
        schema({"id": Annotated[str, Meta(max_length=10)]}),
        schema({"id": Annotated[str, Meta(max_length=20)]}),
        False,
        True,
    ),
    "a limit is narrowed": (
        schema({"n": Annotated[int, Meta(ge=0)]}),
        schema({"n": Annotated[int, Meta(ge=1)]}),
        True,
        False,
    ),
    "a limit comes": (schema({"n": int}), schema({"n": Annotated[int, Meta(lt=5)]}), True, False),
    "a pattern changes": (
        schema({"id": Annotated[str, Meta(pattern="^a$")]}),
        schema({"id": Annotated[str, Meta(pattern="^b$")]}),
        True,
        True,
    ),
    "a value comes": (schema({"k": Literal["a", "b"]}), schema({"k": Literal["a", "b", "c"]}), False, True),
    "a value goes": (schema({"k": Literal["a", "b"]}), schema({"k": Literal["a"]}), True, False),
    "listed values become free text": (schema({"k": Literal["a", "b"]}), schema({"k": str}), False, True),
    "a list's entries change": (schema({"l": list[int]}), schema({"l": list[str]}), True, True),
    "a list of things becomes a list of anything": (schema({"l": list[int]}), schema({"l": list}), False, True),
    "a map's values change": (schema({"d": dict[str, int]}), schema({"d": dict[str, str]}), True, True),
    "a nested field changes": (
        schema({"i": Inner}),
        schema({"i": msgspec.defstruct("Inner", [("size", str)])}),
        True,
        True,
    ),
    "bytes become text": (schema({"b": bytes}), schema({"b": str}), False, True),
    "unknown fields are refused from now on, and one goes": (
        BASE,
        schema({"id": str, "n": int}, forbid_unknown_fields=True),
        True,
        False,
    ),
}


@pytest.mark.parametrize("what", ALLOWED_IN_FULL)
def test_allowed_changes(what: str) -> None:
    assert compatibility(BASE, ALLOWED_IN_FULL[what], "FULL") == []


@pytest.mark.parametrize("what", RESTRICTED)
def test_restricted_changes(what: str) -> None:
    previous, current, breaks_backward, breaks_forward = RESTRICTED[what]
    assert bool(compatibility(previous, current, "BACKWARD")) is breaks_backward
    assert bool(compatibility(previous, current, "FORWARD")) is breaks_forward
    assert compatibility(previous, current, "FULL")


def test_a_problem_names_the_field_and_what_breaks() -> None:
    current = schema({"id": str, "n": int, "x": int}, {"note": (str, "")})
    assert compatibility(BASE, current, "FULL") == ["BACKWARD $.x: may be missing, and must be there to be read"]


def test_several_types_in_one_field_have_no_rule() -> None:
    union = schema({"u": int | str})
    with pytest.raises(ValueError, match="union"):
        compatibility(union, union, "FULL")
