"""Tells a producer, record by record, what is wrong with what it is about to send, before it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct

from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.decoding import EventDecoder, MessageDecoder
from streams.contracts.events import EVENT_TYPES, Click, Impression, Purchase, Search
from streams.contracts.messages import CampaignState, Feedback, ProductState
from streams.contracts.rejection import Rejected, explain

TYPES: dict[str, type[Struct]] = {
    "search": Search,
    "impression": Impression,
    "click": Click,
    "purchase": Purchase,
    "campaign": CampaignState,
    "product": ProductState,
    "feedback": Feedback,
}
"""What can be validated, by the name that `--type` takes."""

_TELLING_FIELDS = {
    "query": "search",
    "click_id": "click",
    "order_id": "purchase",
    "position": "impression",
    "feedback_id": "feedback",
    "items": "campaign",
    "title": "product",
}
"""The first of these fields that a record has tells its type."""

_NOTES = {"type", "topic"}
"""Fields that say which message it is: taken for detection, and no part of any message."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a record. A `warning` doesn't keep the record from being counted."""

    record: int
    """Line number, from 1."""
    type: str | None
    code: str
    field: str
    message: str
    warning: bool = False


class Validator:
    """Checks records as the stages and agents will, against the broker time `now_ms`."""

    def __init__(self, settings: Settings, now_ms: int, only: str | None = None) -> None:
        self._events = EventDecoder(settings)
        self._messages = {name: MessageDecoder(struct) for name, struct in TYPES.items() if name not in EVENT_TYPES}
        self._now_ms = now_ms
        self._only = only
        self._first: dict[tuple[str, str], int] = {}
        topics = Topics.of(settings)
        self._by_topic = {topic.name: name for name, topic in zip(EVENT_TYPES, topics.events, strict=True)} | {
            topics.campaign_state.name: "campaign",
            topics.product_state.name: "product",
            topics.feedback.name: "feedback",
        }

    def problems(self, lines: Iterable[bytes]) -> Iterator[Problem | None]:
        """For each record that isn't blank its problems, or one None when it has none."""
        for number, line in enumerate(lines, start=1):
            if value := line.strip():
                found = self._check(number, value)
                yield from found or (None,)

    def _check(self, number: int, value: bytes) -> list[Problem]:
        try:
            fields = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            fault = explain(Struct, value, error)
            return [Problem(number, self._only, fault.code, fault.field, fault.message)]
        name = self._only or self._detect(fields)
        if name is None:
            known = ", ".join(TYPES)
            message = f"no telling which message this is; give --type, or a field `type` with one of {known}"
            return [Problem(number, None, "invalid", "$", message)]
        try:
            if name in EVENT_TYPES:
                event = self._events.decode(name, value, self._now_ms)
                repeated = self._repeated(number, name, event.event_id)
            else:
                repeated = []
                self._messages[name].decode(value)
        except Rejected as fault:
            return [Problem(number, name, fault.code, fault.field, fault.message)]
        return repeated + [_unknown_field(number, name, field) for field in fields if field not in _known_fields(name)]

    def _repeated(self, number: int, name: str, event_id: str) -> list[Problem]:
        first = self._first.setdefault((name, event_id), number)
        if first == number:
            return []
        message = f"record {first} has it too: one of the two is taken for a repeat, and not counted; give it its own"
        return [Problem(number, name, "repeated", "$.event_id", message, warning=True)]

    def _detect(self, fields: Any) -> str | None:
        if not isinstance(fields, dict):
            return None
        said = fields.get("type", fields.get("topic"))
        if isinstance(said, str) and (said in TYPES or said in self._by_topic):
            return self._by_topic.get(said, said)
        return next((name for field, name in _TELLING_FIELDS.items() if field in fields), None)


def _known_fields(name: str) -> set[str]:
    return _NOTES | set(TYPES[name].__struct_fields__)


def _unknown_field(number: int, name: str, field: str) -> Problem:
    close = get_close_matches(field, TYPES[name].__struct_fields__, n=1)
    cure = f"did you mean `{close[0]}`?" if close else "remove it"
    return Problem(number, name, "unknown_field", f"$.{field}", f"no such field, it is ignored; {cure}", warning=True)


def as_text(problem: Problem) -> str:
    """One line for a person."""
    level = "warning: " if problem.warning else ""
    return (
        f"record {problem.record} ({problem.type or '?'}): {level}{problem.code} at {problem.field}: {problem.message}"
    )


def as_json(records: int, problems: list[Problem]) -> str:
    """One document for a script."""
    bad = sum(not problem.warning for problem in problems)
    return json.dumps({"records": records, "bad": bad, "problems": [vars(problem) for problem in problems]}, indent=1)
