"""The history's last minutes at the rate of the live run that follows."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from infra.settings import MINUTE_MS
from streams.simulator import cli, store
from streams.simulator.history import EVENT_NAMES
from streams.simulator.live import Shoppers
from streams.simulator.market import Market
from streams.simulator.purchases import LIVE_HASTE
from streams.simulator.schedule import schedule
from streams.simulator.tables import Tables
from streams.simulator.truth import truth
from tests.market import HORIZON_MS, UNTIL_MS, Past, make_past

MINUTES, SEARCHES = 5, 6_000


@pytest.fixture(scope="module")
def warm_market(small_market: Market) -> Market:
    plan = replace(small_market.plan, warm_up_ms=MINUTES * MINUTE_MS + 7, warm_up_searches=SEARCHES)
    return replace(small_market, plan=plan)


@pytest.fixture(scope="module")
def warm_past(warm_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Past:
    return make_past(warm_market, tmp_path_factory.mktemp("warm"))


def warm(past: Past, name: str) -> pl.DataFrame:
    """The different events of the warm-up."""
    return past.read(name).unique("event_id").filter(pl.col("event_time") >= past.market.plan.warm_up_from_ms)


@pytest.mark.parametrize("off_the_minute_ms", [0, 1, 30_000])
def test_slots_cover_the_history_without_gap_or_overlap(small_market: Market, off_the_minute_ms: int) -> None:
    plan = replace(small_market.plan, warm_up_ms=MINUTES * MINUTE_MS + off_the_minute_ms, warm_up_searches=SEARCHES)
    slots = schedule(np.random.default_rng(1), replace(small_market, plan=plan))
    assert (slots.begins[0], slots.ends[-1]) == (plan.start_ms, plan.until_ms)
    assert np.array_equal(slots.begins[1:], slots.ends[:-1])
    assert (slots.ends > slots.begins).all()
    assert plan.warm_up_from_ms in slots.begins
    assert slots.searches.sum() == plan.searches + SEARCHES
    assert np.allclose(slots.shares.sum(axis=1), 1.0)


def test_the_warm_up_comes_on_top_of_the_days_at_an_even_rate(warm_past: Past, past: Past) -> None:
    plan = warm_past.market.plan
    searches = warm_past.read("search").unique("event_id")
    assert searches.height == plan.searches + SEARCHES
    days = searches.filter(pl.col("event_time") < plan.warm_up_from_ms).height
    assert abs(days / past.read("search")["event_id"].n_unique() - 1) < 0.01
    minute = (warm(warm_past, "search")["event_time"].to_numpy() - plan.warm_up_from_ms) // MINUTE_MS
    counts = np.bincount(minute)[:MINUTES]
    assert np.all(np.abs(counts - SEARCHES / MINUTES) < 5 * np.sqrt(SEARCHES / MINUTES))


def test_warm_up_events_come_as_untidily_as_those_of_the_days(warm_past: Past) -> None:
    for name in EVENT_NAMES:
        frame = warm_past.read(name)
        assert frame["event_id"].n_unique() == frame.unique().height
        assert ((frame["event_time"].cum_max() - frame["event_time"]) > HORIZON_MS).mean() < 0.005
    impression = warm_past.read("impression").filter(pl.col("event_time") >= warm_past.market.plan.warm_up_from_ms)
    assert 0.005 < 1 - impression["event_id"].n_unique() / impression.height < 0.015
    behind = impression["event_time"].cum_max() - impression["event_time"]
    assert 0.02 < (behind > 10_000).mean() < 0.08


def test_purchases_follow_the_warm_up_s_clicks_as_soon_as_live(warm_past: Past, past: Past) -> None:
    joined = warm(warm_past, "purchase").join(warm(warm_past, "click"), on=["shopper", "item"], suffix="_click")
    delay = joined["event_time"] - joined["event_time_click"]
    assert joined.height > 20
    assert (delay >= 0).mean() > 0.9
    assert 5_000 < float(delay.filter(delay >= 0).median()) < 45_000
    assert inspect.signature(cli.live).parameters["haste"].default == LIVE_HASTE


def test_the_same_plan_writes_the_same_warm_up(warm_past: Past, tmp_path: Path) -> None:
    store.save(warm_past.market, tmp_path)
    again = make_past(store.load(tmp_path), tmp_path)
    for name in EVENT_NAMES:
        assert again.read(name).equals(warm_past.read(name))


def test_truth_and_budgets_stay_those_of_the_days(warm_market: Market, small_market: Market) -> None:
    assert truth(warm_market).equals(truth(small_market))
    assert np.array_equal(warm_market.daily_budgets(), small_market.daily_budgets())


def test_a_live_run_goes_on_where_the_warm_up_ended(warm_past: Past) -> None:
    market = warm_past.market
    rate = sum(warm(warm_past, name).height for name in EVENT_NAMES) / (MINUTES * 60)
    shoppers = Shoppers(market, UNTIL_MS, rate, LIVE_HASTE, "USD")
    events = []
    for second in range(MINUTES * 60):
        events += shoppers.step(UNTIL_MS + second * 1_000, UNTIL_MS + (second + 1) * 1_000)
    names = [name for time, name, _, _ in events if time < UNTIL_MS + MINUTES * MINUTE_MS]
    for name in ("search", "impression", "click"):
        assert abs(names.count(name) / warm(warm_past, name).height - 1) < 0.15
    before = warm(warm_past, "search")
    queries = [json.loads(value)["query"] for _, name, _, value in events if name == "search"]
    top = before["query"].value_counts(sort=True).head(30)
    for query, count in top.iter_rows():
        assert abs(queries.count(query) - count) < 6 * np.sqrt(2 * count)
    pool = set(Tables(market, "", "USD")._shoppers.to_pylist())
    assert {key.decode() for _, _, key, _ in events} | set(before["shopper"]) <= pool
    assert {"u0", "u1"} <= set(before["shopper"].value_counts(sort=True).head(5)["shopper"])


def test_the_command_takes_minutes_and_rate(tmp_path: Path) -> None:
    options = ["--events", "4000", "--days", "1", "--products", "200", "--keywords", "600", "--until", str(UNTIL_MS)]
    options += ["--warm-up-minutes", "2", "--warm-up-rate", "100", "--json"]
    done = CliRunner().invoke(cli.app, ["history", "--out", str(tmp_path), *options], catch_exceptions=False)
    assert done.exit_code == 0
    plan = store.load(tmp_path).plan
    assert plan.warm_up_ms == 2 * MINUTE_MS
    counted = 0
    for name in EVENT_NAMES:
        time = pl.read_parquet(tmp_path / f"{name}.parquet").unique("event_id")["event_time"]
        counted += int((time >= plan.warm_up_from_ms).sum())
    assert abs(counted / (2 * 60 * 100) - 1) < 0.1
    assert abs(json.loads(done.stdout)["events"] - 4_000 - 12_000) < 1_500


def test_a_warm_up_as_long_as_the_history_is_refused(tmp_path: Path) -> None:
    options = ["--days", "0.1", "--warm-up-minutes", "144"]
    done = CliRunner().invoke(cli.app, ["history", "--out", str(tmp_path / "out"), *options])
    assert done.exit_code == 2
    assert "--warm-up-minutes" in done.output
    assert not (tmp_path / "out").exists()
