"""Counts are exact: both stages against the reference, under everything that can happen between them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.murmur2 import partition_of
from infra.settings import HOUR_MS, MINUTE_MS, Settings, load
from streams import attribution, deduplication
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.events import Click, EventName, Impression, Purchase, Search
from streams.shopper_stage import OtherDictionary
from tests.pipeline import CrashAt, Pipeline

START = 1_790_000_000_000
SETTINGS = load(
    partitions=2,
    late_horizon_ms=20 * MINUTE_MS,
    future_tolerance_ms=5 * MINUTE_MS,
    attribution_window_ms=30 * MINUTE_MS,
    vector_interval_ms=200,
    windows="10m,1h,24h",
)

MERGES = CanonicalForms("merges", {"red shoe": "boot rain"})
SPLITS = CanonicalForms("splits", {"boots for rain": "boot rain ~for"})
"""Of two texts with one normal form, one counts apart."""

# Few ids, shoppers, items and times, so that duplicates, ties, corrections, forgotten ids and borders really happen.
_id = st.integers(0, 12).map(lambda n: f"e{n}")
_shopper = st.sampled_from(["ann", "dan"])  # murmur2 puts them in partitions 0 and 1
_item = st.sampled_from(["A", "B"])
_keyword = st.sampled_from(["rain boots", "boots for rain", "red shoe"])
_campaign = st.sampled_from([None, "c1"])
_time = st.integers(0, 15).map(lambda step: START + step * 5 * MINUTE_MS)
_category = st.sampled_from(["shoes", "unknown"])
_common = {"event_id": _id, "event_time": _time, "schema_version": st.just(1), "shopper": _shopper}
_shown = {"item": _item, "category": _category, "campaign": _campaign, "keyword": _keyword}
_place = {"position": st.integers(1, 5), "search_id": st.just("s")}
_event = st.one_of(
    st.tuples(
        st.just("search"), st.builds(Search, **_common, search_id=st.just("s"), query=_keyword, category=_category)
    ),
    st.tuples(st.just("impression"), st.builds(Impression, **_common, **_shown, **_place)),
    st.tuples(st.just("click"), st.builds(Click, **_common, click_id=st.just("k"), **_shown, **_place)),
    st.tuples(
        st.just("purchase"),
        st.builds(
            Purchase,
            **_common,
            order_id=st.just("o"),
            item=_item,
            category=_category,
            quantity=st.integers(1, 3),
            unit_price=st.integers(0, 999),
            currency=st.just("USD"),
        ),
    ),
)
_action = st.one_of(
    st.tuples(st.just("send"), _event),
    st.tuples(st.just("misplace"), _event),
    st.tuples(st.just("shopper"), st.tuples(st.integers(0, 1), st.integers(1, 4))),
    st.tuples(st.just("entity"), st.tuples(st.integers(0, 1), st.integers(1, 4))),
    st.tuples(st.just("pass"), st.integers(0, 15)),
    st.tuples(st.just("crash"), st.integers(1, 9)),
    st.tuples(st.just("kill"), st.sampled_from(["shopper/0", "shopper/1", "entity/0", "entity/1"])),
    st.tuples(st.just("empty the online store"), st.none()),
)


def _play(settings: Settings, actions: list[tuple[str, object]], canonical: CanonicalForms = NORMAL) -> Pipeline:
    pipeline = Pipeline(settings, START + HOUR_MS, canonical)
    for what, how in actions:
        match what, how:
            case "send", (name, event):
                pipeline.send(name, event)
            case "misplace", (name, event):
                pipeline.send(name, event, partition=1 - partition_of(event.shopper.encode(), 2))
            case (("shopper" | "entity"), (partition, most)):
                pipeline.run(what, partition, most)
            case "pass", int(minutes):
                pipeline.clock.advance_to(pipeline.clock.now_ms() + minutes * MINUTE_MS)
            case "crash", int(countdown):
                pipeline.crash = CrashAt(countdown)
            case "kill", str(owner):
                pipeline.runners.pop(owner, None)
            case "empty the online store", _:
                pipeline.store.clear()
    pipeline.crash = CrashAt(0)
    pipeline.drain()
    return pipeline


@pytest.fixture(autouse=True, scope="module")
def forget_eagerly() -> Iterator[None]:
    """Forget with every batch what can be forgotten, rather than once thousands have piled up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "_FEWEST_TO_FORGET", 1)
        patch.setattr(deduplication, "_FEWEST_IDS_TO_PURGE", 1)
        yield


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(_action, min_size=5, max_size=120))
def test_online_features_equal_the_recount_whatever_happens(actions: list[tuple[str, object]]) -> None:
    assert _play(SETTINGS, actions).mismatches() == []


@pytest.mark.parametrize("canonical", [MERGES, SPLITS], ids=lambda forms: forms.version)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(actions=st.lists(_action, min_size=5, max_size=120))
def test_they_do_under_a_dictionary(canonical: CanonicalForms, actions: list[tuple[str, object]]) -> None:
    assert _play(SETTINGS, actions, canonical).mismatches() == []


@pytest.mark.parametrize(
    ("canonical", "of"),
    [
        (NORMAL, {"boot rain": 2, "red shoe": 1, "boot rain ~for": 0}),
        (MERGES, {"boot rain": 3, "red shoe": 0, "boot rain ~for": 0}),
        (SPLITS, {"boot rain": 1, "red shoe": 1, "boot rain ~for": 1}),
    ],
    ids=["none", "merges", "splits"],
)
def test_the_dictionary_says_what_counts_together(canonical: CanonicalForms, of: dict[str, int]) -> None:
    pipeline = Pipeline(SETTINGS, START + 40 * MINUTE_MS, canonical)
    for number, keyword in enumerate(["Rain Boots", "boots  for rain", "red shoe"]):
        pipeline.send(*_click(f"c{number}", 10, keyword))
    pipeline.drain()
    clicks = {key: pipeline.store.vectors("keyword", [key]).sums[0].reshape(3, 6)[1, 2] for key in of}
    assert clicks == of
    assert pipeline.mismatches() == []


@pytest.mark.parametrize("snapshot", [True, False])
def test_what_was_counted_under_another_dictionary_is_not_counted_on(snapshot: bool) -> None:
    pipeline = Pipeline(SETTINGS, START + 40 * MINUTE_MS, MERGES)
    pipeline.send(*_click("c1", 10, "red shoe"))
    pipeline.drain()
    if snapshot:
        pipeline.runners["shopper/0"].stop()
    pipeline.runners.clear()
    pipeline.canonical = SPLITS
    with pytest.raises(OtherDictionary, match=r"dictionary merges.*dictionary splits.*keypulse rebuild"):
        pipeline.run("shopper", 0)
    pipeline.canonical = NORMAL
    with pytest.raises(OtherDictionary, match="has no dictionary"):
        pipeline.run("shopper", 0)
    pipeline.canonical = MERGES
    pipeline.send(*_click("c2", 15, "rain boots"))
    pipeline.drain()
    assert pipeline.mismatches() == []


_one_pair = {"shopper": st.just("ann"), "item": st.just("A"), "event_time": _time}
_click_or_purchase = st.one_of(
    st.tuples(
        st.just("click"),
        st.builds(Click, **(_common | _shown | _place | _one_pair), click_id=st.just("k")),
    ),
    st.tuples(
        st.just("purchase"),
        st.builds(
            Purchase,
            **(_common | _one_pair),
            order_id=st.just("o"),
            quantity=st.just(1),
            unit_price=st.just(100),
            currency=st.just("USD"),
        ),
    ),
)
_attribution_action = st.one_of(
    st.tuples(st.just("send"), _click_or_purchase),
    st.tuples(st.just("send"), _click_or_purchase),
    st.tuples(st.just("shopper"), st.tuples(st.just(0), st.integers(1, 2))),
    st.tuples(st.just("kill"), st.just("shopper/0")),
)


@settings(max_examples=1_500, deadline=None)
@given(st.lists(_attribution_action, min_size=4, max_size=40))
def test_attribution_is_a_function_of_the_set_of_clicks_and_purchases(actions: list[tuple[str, object]]) -> None:
    assert _play(SETTINGS, actions).mismatches() == []


def _click(event_id: str, minute: int, keyword: str, campaign: str | None = None) -> tuple[EventName, Click]:
    return "click", Click(
        event_id=event_id,
        event_time=START + minute * MINUTE_MS,
        schema_version=1,
        shopper="ann",
        click_id="k",
        item="A",
        campaign=campaign,
        keyword=keyword,
        position=1,
        search_id="s",
    )


def _purchase(event_id: str, minute: int) -> tuple[EventName, Purchase]:
    return "purchase", Purchase(
        event_id=event_id,
        event_time=START + minute * MINUTE_MS,
        schema_version=1,
        shopper="ann",
        order_id="o",
        item="A",
        quantity=2,
        unit_price=500,
        currency="USD",
    )


def _purchases_in_an_hour(pipeline: Pipeline, kind: str, key: str) -> float:
    return float(pipeline.store.vectors(kind, [key]).sums[0].reshape(3, 6)[1, 3])


def test_a_late_click_takes_a_purchase_over() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 40 * MINUTE_MS)
    pipeline.send(*_click("c1", 10, "red shoe"))
    pipeline.send(*_purchase("p1", 20))
    pipeline.drain()
    assert _purchases_in_an_hour(pipeline, "keyword", "red shoe") == 1
    pipeline.send(*_click("c2", 15, "rain boots", "camp"))
    pipeline.drain()
    assert _purchases_in_an_hour(pipeline, "keyword", "red shoe") == 0
    assert _purchases_in_an_hour(pipeline, "keyword", "boot rain") == 1
    assert _purchases_in_an_hour(pipeline, "campaign", "camp") == 1
    assert _purchases_in_an_hour(pipeline, "item", "A") == 1
    assert pipeline.mismatches() == []


def test_a_purchase_may_arrive_before_its_click() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 40 * MINUTE_MS)
    pipeline.send(*_purchase("p1", 20))
    pipeline.drain()
    pipeline.send(*_click("c1", 10, "red shoe"))
    pipeline.drain()
    assert _purchases_in_an_hour(pipeline, "pair", "A|red shoe") == 1


def test_what_lies_in_a_wrong_partition_is_a_dead_letter_and_counts_for_nothing() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 40 * MINUTE_MS)
    name, purchase = _purchase("p1", 20)
    pipeline.send(*_click("c1", 10, "red shoe"))
    pipeline.send(name, purchase, partition=1)
    pipeline.drain()
    assert _purchases_in_an_hour(pipeline, "item", "A") == 0
    (letter,) = [msgspec.json.decode(one.value or b"") for one in pipeline.broker.logs["deadletter", 0]]
    assert letter["code"] == "wrong_partition"
    assert "murmur2_random" in letter["message"]
    assert pipeline.mismatches() == []


def test_a_quiet_entity_decays() -> None:
    pipeline = Pipeline(SETTINGS, now_ms=START + 40 * MINUTE_MS)
    pipeline.send(*_click("c1", 30, "red shoe"))
    pipeline.drain()
    assert pipeline.store.vectors("item", ["A"]).sums[0].reshape(3, 6)[:, 2].tolist() == [0, 1, 1]
    pipeline.clock.advance_to(START + 100 * MINUTE_MS)
    pipeline.drain()
    assert pipeline.store.vectors("item", ["A"]).sums[0].reshape(3, 6)[:, 2].tolist() == [0, 0, 1]
    pipeline.clock.advance_to(START + 30 * HOUR_MS)
    pipeline.drain()
    assert not pipeline.store.vectors("item", ["A"]).sums.any()
