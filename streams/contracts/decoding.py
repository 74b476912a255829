"""Bytes to messages that others send. For events this is a hot path: about a microsecond each.

An event is decoded by one msgspec call that checks types, lengths and ranges; what is left (letters of the ids, schema
version, date, currency) are comparisons. Only a record that failed is looked at again, to say why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from infra.settings import Settings
from streams.contracts.events import EVENT_TYPES, SCHEMA_VERSION, Click, Event, EventName, Impression, Purchase, Search
from streams.contracts.rejection import Rejected, explain, invalid, oversized, unknown_schema

_DECODE_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)
_ID_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"


class EventDecoder:
    """Decodes and checks events."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes = settings.max_event_bytes
        self._future_tolerance_ms = settings.future_tolerance_ms
        self._currency = settings.currency
        self._by_name = {name: (msgspec.json.Decoder(EVENT_TYPES[name]).decode, _IDS[name]) for name in EVENT_TYPES}

    def decode(self, name: EventName, value: bytes | None, broker_time_ms: int) -> Event:
        """The event in a record's value.

        Args:
            name: which event the record's topic carries.
            value: the record's bytes.
            broker_time_ms: when the broker took the record (LogAppendTime); what is "future" is judged against it.

        Raises:
            Rejected: the record is no such event, or must not be counted.
        """
        decode, ids = self._by_name[name]
        if value is None or len(value) > self._max_bytes:
            raise oversized(len(value), self._max_bytes) if value else explain(EVENT_TYPES[name], value, ValueError())
        try:
            event: Event = decode(value)
        except _DECODE_ERRORS as error:
            raise explain(EVENT_TYPES[name], value, error) from None
        if event.schema_version != SCHEMA_VERSION:
            raise unknown_schema(event.schema_version)
        if ids(event).encode().translate(None, _ID_LETTERS):
            raise _wrong_id(event)
        if event.event_time > broker_time_ms + self._future_tolerance_ms:
            raise self._future(event.event_time, broker_time_ms)
        if type(event) is Purchase and event.currency != self._currency:
            raise self._wrong_currency(event.currency)
        return event

    def _future(self, event_time: int, broker_time_ms: int) -> Rejected:
        return Rejected(
            "future",
            "$.event_time",
            f"{event_time} lies {event_time - broker_time_ms} ms after the broker's clock, at most "
            f"{self._future_tolerance_ms} ms are allowed; set the producer's clock, send milliseconds in UTC",
        )

    def _wrong_currency(self, currency: str) -> Rejected:
        return Rejected(
            "wrong_currency",
            "$.currency",
            f"got {currency}, revenue is summed in {self._currency}; convert unit_price and send {self._currency}",
        )


def _search_ids(event: Search) -> str:
    return f"{event.event_id}{event.shopper}{event.search_id}{''.join(event.results)}"


def _impression_ids(event: Impression) -> str:
    return f"{event.event_id}{event.shopper}{event.item}{event.campaign}{event.search_id}"


def _click_ids(event: Click) -> str:
    return f"{event.event_id}{event.shopper}{event.click_id}{event.item}{event.campaign}{event.search_id}"


def _purchase_ids(event: Purchase) -> str:
    return f"{event.event_id}{event.shopper}{event.order_id}{event.item}"


_IDS: dict[EventName, Callable[[Any], str]] = {
    "search": _search_ids,
    "impression": _impression_ids,
    "click": _click_ids,
    "purchase": _purchase_ids,
}
"""All ids of an event in one string, whose letters are checked in one go."""


def _wrong_id(event: Event) -> Rejected:
    """The refusal of an event of which an id has a letter that ids don't have."""
    for name in ("event_id", "shopper", "search_id", "click_id", "order_id", "item", "campaign", "results"):
        value = getattr(event, name, None)
        for index, text in enumerate(value if isinstance(value, list) else [value or ""]):
            if text.encode().translate(None, _ID_LETTERS):
                path = f"$.{name}[{index}]" if isinstance(value, list) else f"$.{name}"
                return invalid(type(event), path, f"got {text!r}")
    raise AssertionError("called for an event whose ids are right")


Message = TypeVar("Message", bound=Struct)


class MessageDecoder(Generic[Message]):
    """Decodes a JSON message of a low-rate topic: state, feedback, control."""

    def __init__(self, struct: type[Message], max_bytes: int = 1_048_576) -> None:
        self._struct = struct
        self._max_bytes = max_bytes
        self._decoder = msgspec.json.Decoder(struct)

    def decode(self, value: bytes) -> Message:
        """The message in a record's value.

        Raises:
            Rejected: the value is no such message.
        """
        if len(value) > self._max_bytes:
            raise oversized(len(value), self._max_bytes)
        try:
            message = self._decoder.decode(value)
        except _DECODE_ERRORS as error:
            raise explain(self._struct, value, error) from None
        if getattr(message, "schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
            raise unknown_schema(message.schema_version)  # type: ignore[attr-defined]
        return message
