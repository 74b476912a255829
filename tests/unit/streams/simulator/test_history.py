"""The written history: contracts, order, reproducibility."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest

from infra.settings import load
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import EVENT_TYPES, EventName
from streams.simulator.history import EVENT_NAMES
from streams.simulator.market import build
from tests.market import HORIZON_MS, Past, make_past

DECODER = EventDecoder(load())


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_row_is_an_event_that_the_stages_would_take(past: Past, name: EventName) -> None:
    kind = EVENT_TYPES[name]
    frame = past.read(name)
    assert set(frame.columns) == set(kind.__struct_fields__)
    for row in frame.head(3_000).iter_rows(named=True):
        value = msgspec.json.encode(kind(**row))
        assert DECODER.decode(name, value, past.market.plan.until_ms) == kind(**row)


def test_ids_are_given_once_and_second_copies_are_equal(past: Past) -> None:
    for name in EVENT_NAMES:
        frame = past.read(name)
        assert frame["event_id"].n_unique() == frame.unique().height
        assert past.written.rows[name] == frame.height
    copies = past.written.total - sum(past.read(name)["event_id"].n_unique() for name in EVENT_NAMES)
    assert copies == past.written.duplicate > 0


def test_nothing_lies_outside_the_history(past: Past) -> None:
    plan = past.market.plan
    for name in EVENT_NAMES:
        time = past.read(name)["event_time"]
        assert time.min() >= plan.start_ms
        assert time.max() <= plan.until_ms
        assert time.max() > plan.until_ms - 10 * 60_000


def test_rows_stand_in_order_of_arrival_late_within_the_horizon_but_for_a_few(past: Past) -> None:
    for name in EVENT_NAMES:
        time = past.read(name)["event_time"]
        behind = time.cum_max() - time
        assert (behind > HORIZON_MS).mean() < 0.005
    late = past.read("impression").with_columns(behind=pl.col("event_time").cum_max() - pl.col("event_time"))["behind"]
    assert 0.03 < (late > 10_000).mean() < 0.08


def test_clicks_and_impressions_refer_to_what_was_shown(past: Past) -> None:
    impression, click = past.read("impression").unique(), past.read("click").unique()
    same = ["shopper", "item", "category", "keyword", "position", "search_id"]
    found = click.join(impression, on=same, how="semi")
    assert found.height == click.height
    searched = past.read("search").unique("event_id")
    assert impression.join(searched, on=["search_id", "shopper"], how="anti").is_empty()
    bought = past.read("purchase").unique()
    assert bought.join(click, on=["shopper", "item", "category"], how="anti").is_empty()


def test_the_same_plan_writes_the_same_events_and_another_seed_other_ones(past: Past, tmp_path: Path) -> None:
    plan = past.market.plan
    again = make_past(build(plan), tmp_path / "again")
    other = make_past(build(replace(plan, seed=plan.seed + 1)), tmp_path / "other")
    for name in EVENT_NAMES:
        assert again.read(name).equals(past.read(name))
        assert not other.read(name).equals(past.read(name))


def test_about_as_many_events_as_asked_for(large_past: Past) -> None:
    assert abs(large_past.written.total / 404_000 - 1) < 0.03


def test_topics_stand_in_the_ratio_of_a_shop(large_past: Past) -> None:
    share = {name: count / large_past.written.total for name, count in large_past.written.rows.items()}
    assert 0.10 < share["search"] < 0.20
    assert 0.70 < share["impression"] < 0.82
    assert 0.04 < share["click"] < 0.08
    assert 0.003 < share["purchase"] < 0.008
    assert isinstance(large_past.read("search").schema["results"], pl.List)
