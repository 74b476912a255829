"""Why a record can't be used: a code, the field at fault, what is allowed there, and the cure."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from streams.contracts.events import SCHEMA_VERSION

Code = Literal[
    "malformed",
    "oversized",
    "invalid",
    "unknown_schema",
    "future",
    "too_late",
    "wrong_currency",
    "wrong_partition",
    "failed",
]
"""Why a record was dead-lettered."""
CODES: tuple[Code, ...] = get_args(Code)


class Rejected(Exception):
    """A record can't be used.

    Attributes:
        code: one of `CODES`.
        field: JSON path of the field at fault, e.g. `$.results[1]`; `$` is the record itself.
        message: what is wrong, what is allowed and how to cure it.
    """

    def __init__(self, code: Code, field: str, message: str) -> None:
        super().__init__(f"{code} at {field}: {message}")
        self.code: Code = code
        self.field = field
        self.message = message


def oversized(size: int, limit: int) -> Rejected:
    """The refusal of a record of `size` bytes where at most `limit` are taken."""
    return Rejected(
        "oversized", "$", f"{size} bytes, at most {limit} are allowed; send fewer results and no fields of your own"
    )


def unknown_schema(version: object) -> Rejected:
    """The refusal of a record of a schema that this release doesn't read."""
    return Rejected(
        "unknown_schema",
        "$.schema_version",
        f"got {version}, this release reads {SCHEMA_VERSION}; send that, or upgrade Keypulse first and redrive",
    )


def explain(struct: type[Struct], value: bytes | None, error: Exception) -> Rejected:
    """The refusal of a JSON value that could not be decoded as `struct`, from the decoder's error."""
    if not value:
        return Rejected("malformed", "$", "the record is empty; send one JSON object as its value")
    if isinstance(error, RecursionError):
        return Rejected("malformed", "$", "nested too deeply; send one flat JSON object")
    if not isinstance(error, msgspec.ValidationError):
        return Rejected("malformed", "$", f"{error}; send one JSON object in UTF-8, with no bytes before or after it")
    if (version := _other_schema(value)) is not None:
        return unknown_schema(version)
    problem, _, path = str(error).partition(" - at `")
    path = path.rstrip("`") or "$"
    if missing := re.match(r"Object missing required field `(.+)`", problem):
        path, problem = f"{path}.{missing[1]}", "missing"
    return invalid(struct, path, problem)


def invalid(struct: type[Struct], path: str, problem: str) -> Rejected:
    """The refusal of a record whose field at `path` has a `problem`; tells what `struct` allows there."""
    allowed = _in_words(_schema_at(struct, path))
    return Rejected("invalid", path, f"{problem}; send {allowed}")


def _other_schema(value: bytes) -> int | None:
    """The record's schema version if it isn't ours. It explains any other fault: the fields are another release's."""
    try:
        version = msgspec.json.decode(value)["schema_version"]
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) and version > 0 and version != SCHEMA_VERSION else None


def _schema_at(struct: type[Struct], path: str) -> dict[str, Any]:
    """The part of the struct's JSON Schema that stands at a JSON path; empty for a field it doesn't know."""
    root = _schema(struct)
    here = _resolved(root, root)
    for name in re.findall(r"\.(\w+)|\[.*?\]", path):
        step = here.get("properties", {}).get(name) if name else here.get("items") or here.get("additionalProperties")
        here = _resolved(root, step or {})
    return here


@cache
def _schema(struct: type[Struct]) -> dict[str, Any]:
    return msgspec.json.schema(struct)


def _resolved(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself: past `or null` and references."""
    if "anyOf" in schema:
        schema = next(part for part in schema["anyOf"] if part.get("type") != "null")
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _in_words(schema: dict[str, Any]) -> str:
    """What a JSON Schema allows, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "")
    least_key, most_key = _BOUNDS.get(kind, ("", ""))
    most = schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else schema.get(most_key)
    words = _KINDS.get(kind, "a value of the contract")
    if most is not None:
        words += f" of {schema.get(least_key, 0)} to {most}{_UNITS.get(kind, '')}"
    description = "" if kind == "object" else schema.get("description", "")
    return f"{words}: {description}" if description else words


_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a JSON object",
}
_BOUNDS = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}
_UNITS = {"string": " characters", "array": " entries"}
