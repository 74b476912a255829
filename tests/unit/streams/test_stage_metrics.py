"""What the stages tell of themselves is true."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from infra.failure import Fenced
from infra.settings import HOUR_MS, MINUTE_MS, load
from streams.contracts.events import Click, Event, EventName, Purchase
from tests.pipeline import Pipeline

START = 1_700_000_000_000 // HOUR_MS * HOUR_MS
SETTINGS = load(partitions=1, windows="10m,1h", late_horizon_ms=HOUR_MS, attribution_window_ms=HOUR_MS)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def send(pipeline: Pipeline, event_id: str, time_ms: int, kind: EventName = "click") -> None:
    common = {"event_id": event_id, "event_time": time_ms, "schema_version": 1, "shopper": "ann", "item": "A"}
    event: Event
    if kind == "click":
        event = Click(**common, click_id="k", campaign=None, keyword="boots", position=1, search_id="s")
    else:
        event = Purchase(**common, order_id="o", quantity=1, unit_price=100, currency="USD")
    pipeline.send(kind, event)


def test_event_to_feature_is_from_the_event_to_its_vector_in_the_store() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 400)
    before = (
        value("keypulse_event_to_feature_seconds_count"),
        value("keypulse_event_to_feature_seconds_sum"),
        value("keypulse_event_to_feature_seconds_bucket", le="0.3"),
        value("keypulse_event_to_feature_seconds_bucket", le="0.4"),
    )
    send(pipeline, "c1", START)
    pipeline.run("shopper", 0)
    pipeline.run("entity", 0)
    written = pipeline.store.vectors("item", ["A"]).as_of[0]
    after = (
        value("keypulse_event_to_feature_seconds_count"),
        value("keypulse_event_to_feature_seconds_sum"),
        value("keypulse_event_to_feature_seconds_bucket", le="0.3"),
        value("keypulse_event_to_feature_seconds_bucket", le="0.4"),
    )
    count, seconds, within_300, within_400 = (new - old for new, old in zip(after, before, strict=True))
    assert written == START + 400
    assert count > 0
    assert round(seconds / count, 6) == 0.4
    assert (within_300, within_400) == (0, count)


def test_vectors_that_only_decay_say_nothing_about_freshness() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START)
    send(pipeline, "c1", START)
    pipeline.drain()
    before = value("keypulse_event_to_feature_seconds_count")
    pipeline.clock.advance_to(START + 2 * HOUR_MS)
    pipeline.drain()
    assert not pipeline.store.vectors("item", ["A"]).sums.any()
    assert value("keypulse_event_to_feature_seconds_count") == before


def test_an_event_whose_clock_is_ahead_counts_as_fresh_at_once() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START)
    before = value("keypulse_event_to_feature_seconds_sum")
    send(pipeline, "c1", START + MINUTE_MS)
    pipeline.run("shopper", 0)
    pipeline.run("entity", 0)
    assert value("keypulse_event_to_feature_seconds_sum") == before


def test_attribution_tells_what_it_keeps() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START)
    for number in range(3):
        send(pipeline, f"c{number}", START + number)
    send(pipeline, "p1", START + 10, "purchase")
    pipeline.run("shopper", 0)
    assert value("keypulse_attribution_kept", partition="0", what="clicks") == 3
    assert value("keypulse_attribution_kept", partition="0", what="purchases") == 1


def test_attribution_tells_what_is_left_once_it_has_forgotten() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 4 * HOUR_MS)
    for number in range(2_500):
        send(pipeline, f"c{number}", START + number)
    send(pipeline, "c-new", START + 4 * HOUR_MS)
    send(pipeline, "p-new", START + 4 * HOUR_MS, "purchase")
    pipeline.run("shopper", 0, most=10_000)
    assert value("keypulse_attribution_kept", partition="0", what="clicks") == 1
    assert value("keypulse_attribution_kept", partition="0", what="purchases") == 1


@pytest.mark.parametrize("refused_by", ["checkpoint", "online store"])
def test_a_former_owner_is_counted_whatever_refuses_its_write(refused_by: str) -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START)
    send(pipeline, "c1", START)
    pipeline.run("shopper", 0)
    pipeline.run("entity", 0)
    if refused_by == "checkpoint":
        pipeline.checkpoints.acquire("entity/0")
    else:
        pipeline.store.acquire(0, 1_000)
    before = value("keypulse_stage_fenced_total", stage="entity")
    send(pipeline, "c2", START)
    pipeline.run("shopper", 0)
    with pytest.raises(Fenced, match="another worker has taken it over"):
        pipeline.run("entity", 0)
    assert value("keypulse_stage_fenced_total", stage="entity") == before + 1
