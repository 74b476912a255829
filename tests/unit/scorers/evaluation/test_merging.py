"""Several markets' reports as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scorers.evaluation.judgement import comparisons
from scorers.evaluation.merging import merged
from scorers.evaluation.targets import targets


def judged(seed: int, campaigns: int = 40) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    levels = {"model": 0.6, "popularity": 0.4, "two_towers": 0.5, "similarity": 0.42}
    values = {
        name: {measure: rng.normal(level, 0.1, campaigns) for measure in ("ndcg_at_10", "mrr")}
        for name, level in levels.items()
    }
    rows = {
        name: {
            measure: {
                "mean": float(of.mean()),
                "low": float(of.mean()) - 0.03,
                "high": float(of.mean()) + 0.04,
                "n": 40,
            }
            for measure, of in measures.items()
        }
        for name, measures in values.items()
    }
    return {
        "campaigns": campaigns,
        "rows": rows,
        "values": {name: {measure: of.tolist() for measure, of in of_name.items()} for name, of_name in values.items()},
    } | comparisons(values)


def report(seed: int) -> dict[str, Any]:
    nobody = {"campaigns": 0, "rows": {}, "values": {}} | comparisons({})
    decile = {"predicted": 0.1, "observed": 0.1 + 0.004 * seed, "positives": 300}
    measured = {
        "rows": 1_000,
        "positives": 300,
        "log_loss": 0.2,
        "observed_to_predicted": {"mean": 1.0, "low": 0.9, "high": 1.1},
        "log_loss_to_usual": {"mean": 0.9, "low": 0.8, "high": 0.95},
        "deciles": [decile],
    }
    made: dict[str, Any] = {
        "by_true_value": judged(seed),
        "by_purchases": nobody,
        "by_success": nobody,
        "among_chosen": nobody,
        "impressions": {"model": {"click": {"all": measured}, "purchase": {"all": measured}}},
        "slices": {"item": {"head": {"model": {"mean": None, "low": None, "high": None, "n": 0}}}},
        "real_text": {
            "products": 999,
            "tuned_minus_untuned": {"towers": {"mean": 0.01 * seed, "low": -0.002, "high": 0.05, "n": 950}},
        },
        "studies": {},
        "model_version": f"boosted-{seed}",
    }
    return made | {"targets": targets(made)}


def test_one_market_merged_is_itself() -> None:
    one = report(1)
    made = merged([one])
    assert made["by_true_value"]["rows"]["model"]["mrr"] == pytest.approx(one["by_true_value"]["rows"]["model"]["mrr"])
    assert made["targets"] == one["targets"]


def test_markets_count_alike_and_intervals_shrink() -> None:
    reports = [report(seed) for seed in (1, 2, 3)]
    made = merged(reports)
    row = made["by_true_value"]["rows"]["model"]["ndcg_at_10"]
    means = [one["by_true_value"]["rows"]["model"]["ndcg_at_10"]["mean"] for one in reports]
    assert row["mean"] == pytest.approx(np.mean(means))
    assert row["mean"] - row["low"] == pytest.approx(0.03 / 3**0.5)
    assert row["high"] - row["mean"] == pytest.approx(0.04 / 3**0.5)
    assert row["n"] == 120
    assert made["by_true_value"]["campaigns"] == 120
    assert made["slices"]["item"]["head"]["model"] == {"mean": None, "low": None, "high": None, "n": 0}
    assert made["model_version"] == "boosted-1, boosted-2, boosted-3"


def test_the_same_real_text_judged_again_makes_nothing_more_certain() -> None:
    made = merged([report(2), report(2)])["real_text"]
    assert made["products"] == 999
    assert made["not_worse"] == {"towers": True}
    assert made["tuned_minus_untuned"]["towers"] == pytest.approx({"mean": 0.02, "low": -0.002, "high": 0.05, "n": 950})


def test_rankers_are_compared_over_all_campaigns() -> None:
    reports = [report(seed) for seed in (1, 2, 3)]
    pairs = {
        (pair["better"], pair["worse"]): pair
        for pair in merged(reports)["by_true_value"]["pairs"]
        if pair["measure"] == "ndcg_at_10"
    }
    assert list(pairs) == [("model", "two_towers"), ("two_towers", "similarity"), ("similarity", "popularity")]
    assert pairs["model", "two_towers"]["n"] == 120
    assert pairs["model", "two_towers"]["p"] < 0.01


def test_targets_are_judged_on_what_was_merged() -> None:
    """Too few positives in each market's decile are enough in all of them together."""
    assert not any("deciles" in one["name"] for one in report(1)["targets"])
    made = {one["name"]: one for one in merged([report(seed) for seed in (1, 2, 3)])["targets"]}
    worst = made["P(click): the same in the worst of 1 deciles with 400 positives"]
    assert worst["figure"] == pytest.approx(1.08)
    assert worst["low"] < worst["figure"] < worst["high"]
    assert worst["met"]
    assert made["two towers ahead of the untuned model: NDCG@10"]["met"]


def test_what_a_market_lacks_is_left_out() -> None:
    lacking = report(2)
    del lacking["by_true_value"]["values"]["popularity"], lacking["by_true_value"]["rows"]["popularity"]
    made = merged([report(1), lacking])["by_true_value"]
    assert "popularity" not in made["rows"]
    assert all("popularity" not in (pair["better"], pair["worse"]) for pair in made["pairs"])
