"""What producers send: search, impression, click and purchase.

Event time is in milliseconds since the Unix epoch, UTC. Prices are integers in minor units of the currency (cents), so
that revenue adds up exactly. The record's key is the shopper, partitioned by murmur2 (Java's default; librdkafka must
be told `partitioner=murmur2_random`), so that a click and its purchase meet in one partition.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

SCHEMA_VERSION = 1
"""The event schema this release reads. A record with another one is dead-lettered as `unknown_schema`."""

_ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)"
_ID_MEANING = "1 to 64 of A-Z a-z 0-9 _ . : -"
Id = Annotated[str, Meta(pattern=_ID_PATTERN, description=_ID_MEANING)]
EventId = Annotated[
    str, Meta(min_length=1, max_length=64, description=_ID_MEANING, extra_json_schema={"pattern": _ID_PATTERN})
]
"""An `Id` inside an event. Its letters are checked by `streams.contracts.decoding` for all ids of an event at once: a
pattern on each field would make decoding 2.5 times slower."""
EventTime = Annotated[int, Meta(ge=1_000_000_000_000, lt=10_000_000_000_000, description="ms since 1970, UTC")]
SchemaVersion = Annotated[int, Meta(ge=1, le=1_000)]
KeywordText = Annotated[str, Meta(min_length=1, max_length=200, description="as typed, 1 to 200 characters")]
Category = Annotated[str, Meta(min_length=1, max_length=200, description="the item's category; `unknown` if missing")]
Position = Annotated[int, Meta(ge=1, le=1_000, description="1 is the top of the page")]

UNKNOWN_CATEGORY = "unknown"


class Search(Struct, frozen=True, kw_only=True, gc=False):
    """A shopper typed a query and saw a page of results."""

    event_id: EventId
    event_time: EventTime
    schema_version: SchemaVersion
    shopper: EventId
    search_id: EventId
    query: KeywordText
    category: Category = UNKNOWN_CATEGORY
    results: Annotated[list[EventId], Meta(max_length=200)] = msgspec.field(default_factory=list)


class Impression(Struct, frozen=True, kw_only=True, gc=False):
    """An item was shown. With a campaign it is sponsored, without one organic."""

    event_id: EventId
    event_time: EventTime
    schema_version: SchemaVersion
    shopper: EventId
    item: EventId
    category: Category = UNKNOWN_CATEGORY
    campaign: EventId | None = None
    keyword: KeywordText
    position: Position
    search_id: EventId
    shuffled: bool = False
    """The page's order was randomised: a sample free of position and selection bias."""


class Click(Struct, frozen=True, kw_only=True, gc=False):
    """A shown item was clicked."""

    event_id: EventId
    event_time: EventTime
    schema_version: SchemaVersion
    shopper: EventId
    click_id: EventId
    item: EventId
    category: Category = UNKNOWN_CATEGORY
    campaign: EventId | None = None
    keyword: KeywordText
    position: Position
    search_id: EventId


class Purchase(Struct, frozen=True, kw_only=True, gc=False):
    """An item was bought. It names no click: attribution is ours."""

    event_id: EventId
    event_time: EventTime
    schema_version: SchemaVersion
    shopper: EventId
    order_id: EventId
    item: EventId
    category: Category = UNKNOWN_CATEGORY
    quantity: Annotated[int, Meta(ge=1, le=10_000)]
    unit_price: Annotated[int, Meta(ge=0, le=10**12, description="minor units of the currency (cents)")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217")]


Event = Search | Impression | Click | Purchase
EventName = Literal["search", "impression", "click", "purchase"]
EVENT_TYPES: dict[EventName, type[Event]] = {
    "search": Search,
    "impression": Impression,
    "click": Click,
    "purchase": Purchase,
}
