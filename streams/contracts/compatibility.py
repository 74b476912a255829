"""How a message's schema may change: the rules of schema registries, as one pure function over two JSON Schemas.

Vocabulary (Confluent's): a change is BACKWARD compatible when the new schema reads what was written under the old one,
FORWARD when the old schema reads what is written under the new one, FULL when both. Readers ignore fields that they
don't know, and take the default of an optional field that is missing.
"""

from __future__ import annotations

from typing import Any, Literal

Mode = Literal["BACKWARD", "FORWARD", "FULL"]
Schema = dict[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "contentEncoding", "multipleOf", "const")


def compatibility(previous: Schema, current: Schema, mode: Mode) -> list[str]:
    """What the change from `previous` to `current` breaks, one line for each; empty when it is allowed in `mode`."""
    broken = []
    if mode in ("BACKWARD", "FULL"):
        broken += [f"BACKWARD {problem}" for problem in _unreadable(previous, current)]
    if mode in ("FORWARD", "FULL"):
        broken += [f"FORWARD {problem}" for problem in _unreadable(current, previous)]
    return broken


def _unreadable(written: Schema, read: Schema) -> list[str]:
    return _compare("$", written, read, written, read)


def _compare(path: str, written: Schema, read: Schema, written_root: Schema, read_root: Schema) -> list[str]:
    """Why a value allowed by the schema `written` may be refused, or understood otherwise, by `read`."""
    written, written_null = _resolved(written, written_root)
    read, read_null = _resolved(read, read_root)
    problems = []
    if written_null and not read_null:
        problems.append(f"{path}: null may be written, and can't be read")
    kinds = _kind(written), _kind(read)
    if kinds[0] != kinds[1] and kinds != ("integer", "number"):
        return [*problems, f"{path}: {kinds[0]} is written, {kinds[1]} is read"]
    problems += _compare_values(path, written, read)
    if "items" in read:
        problems += _compare(f"{path}[]", written.get("items", {}), read["items"], written_root, read_root)
    given_fields, wanted_fields = written.get("properties", {}), read.get("properties", {})
    for name, wanted in wanted_fields.items():
        inner = f"{path}.{name}"
        must_be_read = name in read.get("required", ())
        if must_be_read and name not in written.get("required", ()):
            problems.append(f"{inner}: may be missing, and must be there to be read")
        if name in given_fields:
            given = given_fields[name]
            problems += _compare(inner, given, wanted, written_root, read_root)
            if not must_be_read and "default" in given and given["default"] != wanted.get("default"):
                problems.append(
                    f"{inner}: missing means {given['default']!r} when written, {wanted.get('default')!r} when read"
                )
    others = read.get("additionalProperties", True)
    if others is False:
        unknown = sorted(set(given_fields) - set(wanted_fields))
        problems += [f"{path}.{name}: is written, and unknown fields can't be read" for name in unknown]
    elif isinstance(others, dict):
        given = written.get("additionalProperties", {})
        problems += _compare(f"{path}.*", given if isinstance(given, dict) else {}, others, written_root, read_root)
    return problems


def _compare_values(path: str, written: Schema, read: Schema) -> list[str]:
    problems = []
    if "enum" in read:
        unknown = [str(value) for value in written.get("enum", ["any value"]) if value not in read["enum"]]
        problems += [f"{path}: {value} may be written, and can't be read" for value in unknown]
    for key in _LOWER:
        if key in read and (key not in written or written[key] < read[key]):
            problems.append(f"{path}: {key} is {written.get(key, 'none')} when written, {read[key]} when read")
    for key in _UPPER:
        if key in read and (key not in written or written[key] > read[key]):
            problems.append(f"{path}: {key} is {written.get(key, 'none')} when written, {read[key]} when read")
    for key in _EXACT:
        if key in read and written.get(key) != read[key]:
            problems.append(f"{path}: {key} is {written.get(key, 'none')} when written, {read[key]} when read")
    return problems


def _resolved(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """The schema past references and `or null`, and whether null is allowed."""
    null = False
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
            continue
        others = [part for part in schema["anyOf"] if part.get("type") != "null"]
        null = null or len(others) < len(schema["anyOf"])
        if len(others) != 1:
            raise ValueError("a union of several types has no rule; use separate fields")
        schema = others[0]
    return schema, null


def _kind(schema: Schema) -> str:
    if all(isinstance(value, str) for value in schema.get("enum", [None])):
        return "string"
    return str(schema.get("type", "any"))
