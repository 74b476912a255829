"""Records that a producer with a fault would send: each kind by the code under which it must be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from infra.settings import HOUR_MS, Settings

Spoil = Callable[[dict[str, Any], Settings], dict[str, Any]]


def _future(event: dict[str, Any], limits: Settings) -> dict[str, Any]:
    return event | {"event_time": event["event_time"] + limits.future_tolerance_ms + HOUR_MS}


def _without_shopper(event: dict[str, Any], _: Settings) -> dict[str, Any]:
    del event["shopper"]
    return event


_SPOILS: tuple[tuple[str, Spoil], ...] = (
    ("invalid", lambda event, _: event | {"event_time": "yesterday"}),
    ("invalid", _without_shopper),
    ("unknown_schema", lambda event, _: event | {"schema_version": 99}),
    (
        "future",
        _future,
    ),
    ("oversized", lambda event, limits: event | {"note": "x" * limits.max_event_bytes}),
)
KINDS = len(_SPOILS) + 1


def spoil(kind: int, value: bytes, event_id: str, settings: Settings) -> tuple[str, bytes]:
    """A bad record made of a good one's JSON, under an id of its own: (code it must be refused with, bytes)."""
    event: dict[str, Any] = msgspec.json.decode(value)
    event["event_id"] = event_id
    if kind == len(_SPOILS):
        return "malformed", msgspec.json.encode(event)[:-9]
    code, change = _SPOILS[kind]
    return code, msgspec.json.encode(change(event, settings))
