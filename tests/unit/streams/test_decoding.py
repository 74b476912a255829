"""Every kind of bad record is refused with its code, the field at fault and a cure; every good one is decoded."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import load
from streams.contracts.decoding import EventDecoder, MessageDecoder
from streams.contracts.events import EVENT_TYPES, Click, EventName, Search
from streams.contracts.messages import CampaignState
from streams.contracts.rejection import Rejected

NOW = 1_760_000_000_000
COMMON = {"event_id": "e1", "event_time": NOW, "schema_version": 1, "shopper": "s1"}
EVENTS: dict[EventName, dict[str, Any]] = {
    "search": COMMON | {"search_id": "q1", "query": "rain boots", "results": ["i1", "i2"]},
    "impression": COMMON | {"item": "i1", "keyword": "rain boots", "position": 1, "search_id": "q1"},
    "click": COMMON
    | {"click_id": "c1", "item": "i1", "campaign": "k1", "keyword": "rain boots", "position": 1, "search_id": "q1"},
    "purchase": COMMON | {"order_id": "o1", "item": "i1", "quantity": 1, "unit_price": 1999, "currency": "USD"},
}
DECODER = EventDecoder(load(max_event_bytes=2048))


def refusal(name: EventName, value: bytes | None, broker_time: int = NOW) -> Rejected:
    with pytest.raises(Rejected) as caught:
        DECODER.decode(name, value, broker_time)
    return caught.value


def changed(name: EventName, **fields: Any) -> bytes:
    return json.dumps(EVENTS[name] | fields).encode()


@pytest.mark.parametrize("name", EVENTS)
def test_a_good_event_is_decoded(name: EventName) -> None:
    event = DECODER.decode(name, changed(name), NOW)
    assert type(event) is EVENT_TYPES[name]
    assert event.shopper == "s1"


def test_what_may_be_missing_has_a_default_and_unknown_fields_are_ignored() -> None:
    event = DECODER.decode("impression", changed("impression", trace_id="x"), NOW)
    assert (event.category, event.campaign, event.shuffled) == ("unknown", None, False)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{", "truncated"),
        (b"\xff", "JSON"),
        (b'{"event_id": "\xff"}', "UTF-8"),
        (b'{"event_id": "\\udc00"}', "surrogate"),
        (b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}", None),
    ],
)
def test_what_is_not_json_is_malformed(value: bytes | None, says: str | None) -> None:
    rejected = refusal("click", value)
    if says is None:  # deep but well-formed: refused for what it lacks
        assert rejected.code == "invalid"
    else:
        assert (rejected.code, rejected.field) == ("malformed", "$")
        assert says in rejected.message


def test_nesting_that_would_exhaust_the_stack_is_malformed() -> None:
    decoder = EventDecoder(load(max_event_bytes=200_000))
    with pytest.raises(Rejected, match=r"malformed at .*nested"):
        decoder.decode("click", b'{"x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", NOW)


def test_too_large_a_record_is_refused_before_it_is_read() -> None:
    rejected = refusal("click", b"not json" * 300)
    assert rejected.code == "oversized"
    assert "2400 bytes, at most 2048" in rejected.message


@pytest.mark.parametrize(
    ("name", "fields", "field", "says"),
    [
        ("click", {"event_time": "2025-10-09"}, "$.event_time", "a whole number of 1000000000000 to 9999999999999"),
        ("click", {"event_time": 1_760_000_000}, "$.event_time", "ms since 1970, UTC"),
        ("click", {"position": 0}, "$.position", "1 is the top of the page"),
        ("click", {"position": 1.5}, "$.position", "got `float`"),
        ("click", {"keyword": ""}, "$.keyword", "text of 1 to 200 characters"),
        ("click", {"keyword": None}, "$.keyword", "got `null`"),
        ("click", {"item": "a|b"}, "$.item", "1 to 64 of A-Z a-z 0-9 _ . : -"),
        ("click", {"item": "a\n"}, "$.item", "got 'a\\n'"),
        ("click", {"item": "ä"}, "$.item", "got 'ä'"),
        ("click", {"item": ""}, "$.item", "1 to 64"),
        ("click", {"campaign": "a b"}, "$.campaign", "got 'a b'"),
        ("search", {"results": ["i1", "i 2"]}, "$.results[1]", "got 'i 2'"),
        ("search", {"results": ["i1", 2]}, "$.results[1]", "got `int`"),
        ("search", {"results": ["i"] * 201}, "$.results", "a list of 0 to 200 entries"),
        ("purchase", {"quantity": 0}, "$.quantity", "a whole number of 1 to 10000"),
        ("purchase", {"unit_price": -1}, "$.unit_price", "minor units"),
        ("purchase", {"currency": "usd"}, "$.currency", "ISO 4217"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(name: EventName, fields: Any, field: str, says: str) -> None:
    rejected = refusal(name, changed(name, **fields))
    assert (rejected.code, rejected.field) == ("invalid", field)
    assert says in rejected.message


@pytest.mark.parametrize("name", EVENTS)
def test_a_missing_field_is_named(name: EventName) -> None:
    for field in EVENTS[name]:
        if field not in ("results", "campaign"):
            rejected = refusal(name, json.dumps({k: v for k, v in EVENTS[name].items() if k != field}).encode())
            assert (rejected.code, rejected.field) == ("invalid", f"$.{field}")
            assert rejected.message.startswith("missing; send ")


def test_another_schema_explains_any_other_fault() -> None:
    assert refusal("click", changed("click", schema_version=2)).code == "unknown_schema"
    assert refusal("click", changed("click", schema_version=5000)).code == "unknown_schema"
    assert refusal("click", b'{"schema_version": 2, "clicked": "x"}').code == "unknown_schema"
    assert refusal("click", changed("click", schema_version="1")).field == "$.schema_version"
    assert refusal("click", changed("click", schema_version=0)).code == "invalid"


def test_future_is_judged_against_the_broker_and_to_the_millisecond() -> None:
    tolerance = load().future_tolerance_ms
    DECODER.decode("click", changed("click"), NOW - tolerance)
    rejected = refusal("click", changed("click"), NOW - tolerance - 1)
    assert (rejected.code, rejected.field) == ("future", "$.event_time")
    assert "clock" in rejected.message


def test_revenue_of_another_currency_is_not_summed() -> None:
    rejected = refusal("purchase", changed("purchase", currency="EUR"))
    assert (rejected.code, rejected.field) == ("wrong_currency", "$.currency")
    assert "USD" in rejected.message


STRICT_ID = msgspec.json.Decoder(CampaignState)


@given(st.text(max_size=70))
def test_an_events_id_is_held_to_the_same_rule_as_any_other(text: str) -> None:
    """The quick check of all ids at once agrees with the pattern that the contract states."""
    state = {"schema_version": 1, "campaign": text, "seller": "s", "items": ["i"], "starts_at": NOW, "updated_at": NOW}
    try:
        STRICT_ID.decode(json.dumps(state).encode())
        allowed = True
    except msgspec.ValidationError:
        allowed = False
    for name in ("click", "purchase"):
        try:
            DECODER.decode(name, changed(name, item=text), NOW)  # type: ignore[arg-type]
            taken = True
        except Rejected:
            taken = False
        assert taken is allowed


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(value: bytes) -> None:
    for name in EVENTS:
        assert refusal(name, value).code in ("malformed", "invalid", "unknown_schema")


def test_state_messages_name_nested_fields() -> None:
    decoder = MessageDecoder(CampaignState)
    state = {"schema_version": 1, "campaign": "k", "seller": "s", "items": ["i"], "starts_at": NOW, "updated_at": NOW}
    assert decoder.decode(json.dumps(state).encode()).status == "active"
    with pytest.raises(Rejected) as caught:
        decoder.decode(json.dumps(state | {"keywords": [{"text": "a", "bid": -1}]}).encode())
    assert caught.value.field == "$.keywords[0].bid"
    assert "minor units" in caught.value.message
    with pytest.raises(Rejected) as caught:
        decoder.decode(json.dumps(state | {"status": "open"}).encode())
    assert "one of active, ended, paused" in caught.value.message
    with pytest.raises(Rejected, match="unknown_schema"):
        decoder.decode(json.dumps(state | {"schema_version": 2}).encode())


def test_decoding_keeps_every_field() -> None:
    event = Click(**EVENTS["click"])
    assert DECODER.decode("click", msgspec.json.encode(event), NOW) == event
    search = Search(**EVENTS["search"])
    assert DECODER.decode("search", msgspec.json.encode(search), NOW) == search
