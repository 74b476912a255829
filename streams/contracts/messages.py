"""What we send: between our own stages (msgpack, packed) and to others (JSON).

Messages between stages carry who sent them and a running number (`Envelope`), by which a receiver drops what it has
seen and notices a gap. See `streams.exactly_once`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from streams.contracts.events import Category, EventTime, Id, KeywordText, SchemaVersion

# --- between our stages ------------------------------------------------------------------------------------------


class Envelope(Struct, frozen=True, array_like=True):
    """Who sent a message: stage and partition, the generation (raised by a rebuild), a number running per receiver.

    A sender of `""` keeps no count: its messages are idempotent and are always taken.
    """

    sender: str
    generation: int
    sequence: int


class FeatureDeltas(Struct, frozen=True, array_like=True):
    """Changes to counts, summed per (entity, minute) over one batch of one shopper partition.

    `entities` are `kind:key` (see `feature_repo.vectors`). Row r adds `amounts[r]` to entity `entities[entity_of[r]]`
    in the tile of minute `minutes[r]` (minutes since 1970).
    """

    envelope: Envelope
    entities: list[str]
    entity_of: bytes
    """n x little-endian int32: index into `entities`."""
    minutes: bytes
    """n x little-endian int32."""
    amounts: bytes
    """n x METRICS little-endian int64, row by row."""
    event_times: list[int]
    """A sample of the batch's event times, ms, to measure latency by."""


class FeatureRows(Struct, frozen=True, array_like=True):
    """Vectors as written to the online store, in the order in which they were written."""

    envelope: Envelope
    as_of: int
    """The moment the vectors were summed for, ms."""
    entities: list[str]
    sums: bytes
    """n x VECTOR little-endian float64 (whole numbers), row by row: window-major, metrics within a window."""
    event_times: list[int]
    """A sample of the event times that led to these vectors, ms."""


class Signal(Struct, frozen=True, array_like=True):
    """An entity moved materially since it was last told of, or a campaign or product changed."""

    entity: str
    cause: str
    """`moved`, `decayed`, `surged`, `created`, `changed`, `closed`, `feedback` or `drifted`."""
    metric: str = ""
    """Which sum moved most, e.g. `searches`. Of a category that drifted: which rate, in parts per million."""
    window: str = ""
    """In which window, e.g. `1h`."""
    before: int = 0
    after: int = 0
    event_time: int = 0
    """When what is told of happened, ms; 0 when no event led to it. Of counts it is the middle of a sample of the event
    times of the last batch that changed them, of a drift its beginning."""


class Signals(Struct, frozen=True, array_like=True):
    """Signals of one flush of one entity partition."""

    envelope: Envelope
    as_of: int
    signals: list[Signal]


class KeywordsSeen(Struct, frozen=True, array_like=True):
    """Keywords that shoppers typed and this shopper partition had not yet reported: (canonical, as typed)."""

    envelope: Envelope
    keywords: list[tuple[str, str]]


# --- state topics: what others tell us ---------------------------------------------------------------------------

MatchType = Literal["exact", "phrase", "broad"]
CampaignStatus = Literal["active", "paused", "ended"]
Money = Annotated[int, Meta(ge=0, le=10**12, description="minor units of the currency (cents)")]


class CampaignKeyword(Struct, frozen=True, kw_only=True):
    """A keyword that the seller chose."""

    text: KeywordText
    match_type: MatchType = "exact"
    bid: Money = 0


class CampaignState(Struct, frozen=True, kw_only=True):
    """A campaign as it is now. The record's key is the campaign; an empty value (tombstone) deletes it."""

    schema_version: SchemaVersion
    campaign: Id
    seller: Id
    items: Annotated[list[Id], Meta(min_length=1, max_length=300)]
    keywords: Annotated[list[CampaignKeyword], Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    category: Category = "unknown"
    ad_rate: Annotated[float, Meta(ge=0, le=1, description="share of the sale paid for promotion")] = 0.0
    daily_budget: Money = 0
    status: CampaignStatus = "active"
    starts_at: EventTime
    ends_at: EventTime | None = None
    updated_at: EventTime


class ProductState(Struct, frozen=True, kw_only=True):
    """A product as it is now. The record's key is the item; an empty value (tombstone) delists it."""

    schema_version: SchemaVersion
    item: Id
    seller: Id
    title: Annotated[str, Meta(max_length=10_000)]
    category: Category = "unknown"
    """The category that events carry: the leaf, or however the shop counts."""
    category_path: Annotated[list[str], Meta(max_length=20)] = msgspec.field(default_factory=list)
    price: Money | None = None
    shipping: Money | None = None
    """Cost of shipping; 0 is free, none is not known."""
    condition: Annotated[str, Meta(max_length=64)] = "new"
    brand: Annotated[str, Meta(max_length=200)] | None = None
    specification: dict[str, str] = msgspec.field(default_factory=dict)
    updated_at: EventTime


# --- suggestions: what we tell others ----------------------------------------------------------------------------


class Reason(Struct, frozen=True, kw_only=True):
    """Why a keyword is suggested, in words and as data."""

    code: str
    text: str


class Contribution(Struct, frozen=True, kw_only=True):
    """What one feature adds to the log-odds of a click (SHAP)."""

    feature: str
    value: float | None
    contribution: float


class Suggestion(Struct, frozen=True, kw_only=True):
    """One keyword of a list. `score` is `expected_purchases`, the order of the list."""

    suggestion_id: str
    keyword: str
    """As a shopper would type it."""
    canonical: str
    """The form under which its variants are counted together."""
    rank: int
    score: float
    expected_purchases: float
    """Campaign purchases expected in the next 7 days: searches x p_shown x p_click x p_purchase."""
    expected_searches: float
    p_shown: float
    p_click: float
    p_purchase: float
    """P(purchase | click)."""
    adopted: bool
    """The seller has it already: scored and shown for comparison, not suggested again."""
    items: list[str]
    """The campaign's items it sells, best first."""
    sources: list[str]
    reasons: list[Reason]
    contributions: list[Contribution]


class Move(Struct, frozen=True, kw_only=True):
    """A keyword that stayed in the list at another rank."""

    canonical: str
    before: int
    after: int


class Changes(Struct, frozen=True, kw_only=True):
    """What differs from the version before, by canonical keyword."""

    added: list[str]
    removed: list[str]
    kept: list[str]
    moved: list[Move]


class Trigger(Struct, frozen=True, kw_only=True):
    """What led to this version."""

    entity: str
    cause: str
    """As of a signal, or `restarted`, `refreshed` (nothing moved much, but it was long ago) or `stopped` (an arm of an
    experiment was)."""
    metric: str = ""
    window: str = ""
    before: int = 0
    after: int = 0
    event_time: int = 0


class SuggestionSet(Struct, frozen=True, kw_only=True):
    """A campaign's whole list. The record's key is the campaign; a tombstone says that the campaign is closed."""

    schema_version: int
    campaign: str
    seller: str
    version: int
    """Grows by one with every set of this campaign."""
    created_at: int
    """ms, when it was computed."""
    as_of: int
    """ms, the newest moment its features were summed for."""
    model_version: str
    index_version: str
    arm: str = "default"
    """The experiment's arm."""
    trigger: Trigger
    held_ms: int = 0
    """How long the set was held back on purpose: by the campaign's interval or by a pause."""
    suggestions: list[Suggestion]
    changes: Changes


class Feedback(Struct, frozen=True, kw_only=True):
    """What the campaign service or the seller did with a suggestion."""

    schema_version: SchemaVersion
    feedback_id: Id
    event_time: EventTime
    campaign: Id
    suggestion_id: Annotated[str, Meta(min_length=1, max_length=128)]
    canonical: Annotated[str, Meta(min_length=1, max_length=200)]
    action: Literal["shown", "accepted", "dismissed"]


class ExposedKeyword(Struct, frozen=True, kw_only=True):
    """A keyword of a computed list that the seller did not have."""

    canonical: str
    rank: int
    source: str
    """The first of its sources."""
    reason: str = ""
    """Code of its first reason."""


class Exposure(Struct, frozen=True, kw_only=True):
    """The first list that an experiment computed for a campaign, alike in all arms: shown to nobody in some."""

    schema_version: int
    experiment: str
    plan_checksum: str
    """SHA-256 of the frozen plan, so that exposures of another plan are told apart."""
    unit: str
    """What the arm was assigned by: the seller, or the category."""
    arm: str
    campaign: str
    exposed_at: int
    """ms, when the list was computed."""
    model_version: str
    published: bool
    """Whether the arm's lists are sent to the campaign service."""
    keywords: list[ExposedKeyword]


class Control(Struct, frozen=True, kw_only=True):
    """Publishing of suggestions is paused or resumed, for a category or (`*`) for all."""

    category: str
    paused: bool
    by: str
    at: int


class DictionaryEntry(Struct, frozen=True, kw_only=True):
    """A text of the keyword dictionary that does not count under its normal form.

    The record's key is the folded text; an empty value (tombstone) takes it out. The record of key `HEAD`, written
    last, is of the whole dictionary: it has `entries`, and no `canonical`.
    """

    schema_version: SchemaVersion
    version: Annotated[str, Meta(min_length=1, max_length=64)]
    """Of the dictionary."""
    canonical: str = ""
    """What the text counts under."""
    entries: Annotated[int, Meta(ge=0)] | None = None
    """How many texts the dictionary has."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that could not be used, with all that is needed to find it, mend it and send it again."""

    topic: str
    partition: int
    offset: int
    code: str
    """One of `streams.contracts.rejection.CODES`."""
    field: str
    message: str
    """What is wrong and how to cure it."""
    stack: str = ""
    key: bytes | None
    value: bytes
    """The original bytes (base64 in JSON)."""
    record_time: int
    seen_at: int
