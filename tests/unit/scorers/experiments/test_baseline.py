"""What a history says before an experiment."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from infra.settings import DAY_MS, HOUR_MS, Settings
from scorers.experiments.baseline import measure
from scorers.experiments.plan import BadPlan
from scorers.experiments.power import design_effect
from scorers.history import History, attributed
from streams.simulator.history import write_history
from streams.simulator.market import Plan, build
from streams.simulator.states import write_states

START = 1_924_992_000_000
WINDOW_MS = Settings.model_construct().attribution_window_ms


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder: Path = tmp_path_factory.mktemp("history")
    market = build(
        Plan(
            seed=5,
            start_ms=START,
            until_ms=START + 16 * DAY_MS,
            searches=30_000,
            products=500,
            campaigns=200,
            keywords=1_000,
        )
    )
    write_history(market, folder, HOUR_MS)
    write_states(market, folder)
    return History(folder)


def test_rate_clusters_and_traffic_equal_a_recount(history: History) -> None:
    found = measure(history, "seller", 7, WINDOW_MS)
    last = history.span[1]
    begins = last - 7 * DAY_MS
    bought = set(
        attributed(history.clicks, history.purchases, WINDOW_MS)
        .filter(pl.col("purchased_at") >= begins)
        .get_column("campaign")
    )
    sellers: dict[str, list[int]] = defaultdict(list)
    for one in history.campaigns:
        if one.starts_at <= begins and (one.ends_at is None or one.ends_at > begins):
            sellers[one.seller].append(int(one.campaign in bought))
    held = np.array([len(of_seller) for of_seller in sellers.values()])
    hits = np.array([sum(of_seller) for of_seller in sellers.values()])
    rate = hits.sum() / held.sum()
    assert found.rate == pytest.approx(rate)
    assert found.campaigns_per_seller == pytest.approx(held.mean())
    observed = np.var(hits - rate * held, ddof=1) / held.mean() / (rate * (1 - rate))
    assert design_effect(found) == pytest.approx(max(1.0, observed), rel=1e-6)
    running = {one.seller for one in history.campaigns if one.ends_at is None or one.ends_at > last}
    assert found.sellers_at_start == len(running)


def test_a_category_is_a_larger_cluster(history: History) -> None:
    by_seller, by_category = (measure(history, unit, 7, WINDOW_MS) for unit in ("seller", "category"))
    assert by_category.campaigns_per_seller > by_seller.campaigns_per_seller
    assert by_category.rate == pytest.approx(by_seller.rate)


def test_a_history_shorter_than_the_window_is_told(history: History) -> None:
    with pytest.raises(BadPlan, match=r"window_days: 30 is longer than the history's 16\.0 days"):
        measure(history, "seller", 30, WINDOW_MS)
