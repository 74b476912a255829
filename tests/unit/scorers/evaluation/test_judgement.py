"""Orders against gains: measures, intervals, comparisons, slices."""

from __future__ import annotations

import numpy as np
import pytest

from scorers.evaluation.gains import Gains
from scorers.evaluation.judgement import MEASURES, compare, estimate, judge
from scorers.evaluation.measures import diversity, novelty, precision, recall
from scorers.evaluation.orders import Orders
from scorers.evaluation.slices import by_slice, tiers_of
from scorers.evaluation.studies import recovered
from streams.contracts.messages import CampaignState, ProductState

WORDS = ("boots", "rain boots", "lamp", "desk lamp", "tent")


def orders(number: int, seed: int) -> Orders:
    rng = np.random.default_rng(seed)
    good = np.arange(5.0, 0, -1)
    return Orders(
        CampaignState(
            schema_version=1,
            campaign=f"c{number}",
            seller="s",
            items=[f"i{number}"],
            category="boots",
            starts_at=1,
            updated_at=1,
        ),
        list(WORDS),
        {"model": good + rng.normal(0, 0.5, 5), "random": rng.random(5)},
        np.array([0.4, 0.2, 0.2, 0.1, 0.1]),
        float(number % 3),
    )


CASES = [orders(number, number) for number in range(40)]
GAINS = {
    f"c{number}": Gains({"boots": 3.0, "rain boots": 2.0, "desk lamp": 0.5}, {}, frozenset({"boots", "lamp"}))
    for number in range(30)
}


def test_judged_are_campaigns_with_gains_alone() -> None:
    judged = judge(CASES, GAINS)
    assert judged["campaigns"] == 30
    assert set(judged["rows"]) == {"model", "random", "oracle"}
    assert judged["rows"]["oracle"]["ndcg_at_10"]["mean"] == pytest.approx(1)
    assert judged["rows"]["model"]["ndcg_at_10"]["mean"] > judged["rows"]["random"]["ndcg_at_10"]["mean"]
    assert set(MEASURES) <= set(judged["rows"]["model"])
    empty = judge(CASES, {})
    assert (empty["campaigns"], empty["rows"], empty["pairs"], empty["model_against_others"]) == (0, {}, [], [])
    assert len(judged["values"]["model"]["mrr"]) == 30


def test_not_choosing_counts_against_nobody_among_the_chosen() -> None:
    """What was never chosen can't be bought: among the chosen, the order that wants it is as good as any."""
    rows = judge(CASES[:5], {"c0": Gains({"boots": 1.0}, {}, frozenset({"boots"}))}, chosen_only=True)["rows"]
    assert {ranker: row["ndcg_at_10"]["mean"] for ranker, row in rows.items()} == {"model": 1, "random": 1, "oracle": 1}


def test_one_and_several_keywords_are_told_apart() -> None:
    gains = {"c0": Gains({"boots": 1.0}, {}), "c1": Gains({"boots": 1.0, "tent": 1.0}, {})}
    row = judge(CASES, gains)["rows"]["model"]
    assert row["mrr_of_one_keyword"]["n"] == 1
    assert row["ndcg_at_10_of_several"]["n"] == 1


def test_nine_and_a_half_intervals_of_ten_hold_the_mean() -> None:
    inside = 0
    for seed in range(100):
        made = estimate(np.random.default_rng(seed).exponential(1.0, 60))
        inside += made["low"] <= 1.0 <= made["high"]
    assert 87 <= inside <= 99
    assert estimate(np.array([np.nan]))["n"] == 0


def test_a_difference_is_told_from_noise() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(50)
    noise = rng.normal(0, 0.1, 50)
    assert compare(base + 0.1 + noise, base)["p"] < 0.01
    assert compare(base + noise - noise.mean(), base)["p"] > 0.5
    assert compare(base, base)["p"] == 1


def test_neighbours_are_compared_in_their_order() -> None:
    pairs = [one for one in judge(CASES, GAINS)["pairs"] if one["measure"] == "ndcg_at_10"]
    assert [(one["better"], one["worse"]) for one in pairs] == [("oracle", "model"), ("model", "random")]
    assert all(one["mean"] >= 0 for one in pairs)


def test_measures_of_lists() -> None:
    assert recall(["a", "b"], {"a", "c"}) == 0.5
    assert precision(["a", "a", "b"], {"a", "b"}, depth=4) == 0.5
    assert diversity(["red boots", "red boots"]) == 0
    assert diversity(["red boots", "desk lamp"]) == 1
    assert diversity(["red boots"]) == 1
    assert novelty(np.array([0.5, 0.125])) == 2


def test_tiers_make_a_third_of_the_searches_each() -> None:
    shares = np.array([0.3, 0.1, 0.25, 0.05, 0.3])
    assert tiers_of(shares) == ["head", "tail", "torso", "tail", "head"]


def test_slices_hold_every_campaign_once() -> None:
    products = {
        f"i{number}": ProductState(
            schema_version=1,
            item=f"i{number}",
            seller="s",
            title="t",
            price=100 * number if number % 2 else None,
            updated_at=1,
        )
        for number in range(40)
    }
    found = by_slice(CASES, GAINS, products, ["model", "random"])
    for name in ("item", "item known", "price band", "category"):
        assert sum(row["model"]["n"] for row in found[name].values()) == 30
    assert set(found["price band"]) == {"low", "middle", "high", "unknown"}
    assert set(found["item known"]) == {"cold", "warm"}
    assert set(found["keyword"]) == {"head", "torso", "tail"}


def test_what_is_recovered_of_the_gap_to_the_ceiling() -> None:
    rng = np.random.default_rng(1)
    base, model, ceiling = (level + rng.normal(0, 0.02, 60) for level in (0.3, 0.58, 0.65))
    values = {"popularity": base, "fused": base - 0.1, "model": model, "ceiling": ceiling, "oracle": ceiling + 0.3}
    found = recovered({name: {"ndcg_at_10": one} for name, one in values.items()})
    assert found["recovered"]["mean"] == pytest.approx(0.8, abs=0.02)
    assert found["recovered"]["low"] < found["recovered"]["mean"] < found["recovered"]["high"]
    assert set(found["rows"]) == {"popularity", "model", "ceiling", "oracle"}
