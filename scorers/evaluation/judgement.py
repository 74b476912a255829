"""Orders against gains: every measure for each campaign and ranker, means with intervals, neighbours compared.

A campaign is the unit of all statistics: its keywords depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scorers.evaluation.gains import Gains
from scorers.evaluation.measures import DEPTH, diversity, ndcg, novelty, precision, recall, reciprocal_rank
from scorers.evaluation.orders import Orders
from scorers.ranking.features import Floats

MEASURES = (
    *("ndcg_at_10", "ndcg_at_20", "mrr", "recall_at_10", "recall_at_50", "precision_at_10"),
    *("diversity_at_10", "novelty_at_10"),
)
HEADLINE = ("ndcg_at_10", "mrr")
_RESAMPLES = 2_000
_SEED = 7
Table = dict[str, dict[str, Floats]]
"""Ranker -> measure -> a value for each campaign, NaN where it says nothing."""


def judge(orders: Sequence[Orders], gains: Mapping[str, Gains], chosen_only: bool = False) -> dict[str, Any]:
    """`campaigns`, `rows` (ranker -> measure -> mean, low, high, n), what `comparisons` gives, and `values`: of each
    ranker the headline measures, campaign by campaign.

    `chosen_only`: only keywords that the campaign itself chose are ordered, so that not choosing a keyword does not
    count against a ranker that would have.
    """
    judged = [one for one in orders if one.campaign.campaign in gains]
    if not judged:
        return {"campaigns": 0, "rows": {}, "values": {}} | comparisons({})
    values, lists = table(judged, gains, chosen_only)
    rows: dict[str, dict[str, Any]] = {
        ranker: {measure: estimate(of_measure) for measure, of_measure in measures.items()}
        for ranker, measures in values.items()
    }
    possible = len({canonical for one in judged for canonical in one.canonicals})
    for ranker, tops in lists.items():
        rows[ranker]["coverage_at_10"] = _coverage(tops, possible)
    several = np.array([len(gains[one.campaign.campaign].of_concept) > 1 for one in judged])
    for ranker, measures in values.items():
        rows[ranker]["mrr_of_one_keyword"] = estimate(measures["mrr"][~several])
        rows[ranker]["ndcg_at_10_of_several"] = estimate(measures["ndcg_at_10"][several])
    headline = {ranker: {measure: of[measure] for measure in HEADLINE} for ranker, of in values.items()}
    return {
        "campaigns": len(judged),
        "rows": rows,
        "values": {
            ranker: {measure: of_measure.round(5).tolist() for measure, of_measure in of.items()}
            for ranker, of in headline.items()
        },
    } | comparisons(headline)


def comparisons(values: Table) -> dict[str, list[dict[str, Any]]]:
    """`pairs` (neighbours by mean compared), `model_against_others`, `two_towers_against_others`."""
    return {
        "pairs": _neighbours(values),
        "model_against_others": _against(values, "model"),
        "two_towers_against_others": _against(values, "two_towers"),
    }


def table(
    judged: Sequence[Orders], gains: Mapping[str, Gains], chosen_only: bool = False
) -> tuple[Table, dict[str, list[list[str]]]]:
    """Every measure for each campaign, and each ranker's first ten keywords."""
    columns: dict[str, dict[str, list[float]]] = {}
    lists: dict[str, list[list[str]]] = {}
    for one in judged:
        own = gains[one.campaign.campaign]
        concepts = enumerate(own.concepts(one.canonicals))
        wanted = {at for at, concept in concepts if not chosen_only or own.chosen is None or concept in own.chosen}
        orders = {ranker: [at for at in one.order(ranker) if at in wanted] for ranker in one.scores}
        place = {canonical: at for at, canonical in enumerate(one.canonicals)}
        orders["oracle"] = [place[name] for name in own.best_order([one.canonicals[at] for at in sorted(wanted)])]
        for ranker, order in orders.items():
            canonicals = [one.canonicals[at] for at in order]
            lists.setdefault(ranker, []).append(canonicals[:DEPTH])
            measured = _measured(canonicals, one.shares[order[:DEPTH]], own)
            for measure, value in measured.items():
                columns.setdefault(ranker, {}).setdefault(measure, []).append(value)
    return {
        ranker: {measure: np.array(values) for measure, values in of_ranker.items()}
        for ranker, of_ranker in columns.items()
    }, lists


def _measured(canonicals: Sequence[str], shares: Floats, own: Gains) -> dict[str, float]:
    in_order, possible = own.in_order(canonicals), list(own.of_concept.values())
    concepts, most = own.concepts(canonicals), max(own.of_concept.values())
    return {
        "ndcg_at_10": ndcg(in_order, possible),
        "ndcg_at_20": ndcg(in_order, possible, 20),
        "mrr": reciprocal_rank([gain >= most for gain in in_order]),
        "recall_at_10": recall(concepts[:10], own.relevant),
        "recall_at_50": recall(concepts[:50], own.relevant),
        "precision_at_10": precision(concepts, own.relevant),
        "diversity_at_10": diversity(canonicals[:DEPTH]),
        "novelty_at_10": novelty(shares),
    }


def estimate(values: Floats) -> dict[str, Any]:
    """Mean, 95 % interval of a bootstrap over campaigns, and n; NaN values are left out. All None without a value.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return {"mean": None, "low": None, "high": None, "n": 0}
    low, high = np.quantile(_resampled(known, lambda drawn: drawn.mean(axis=1)), [0.025, 0.975])
    return {"mean": float(known.mean()), "low": float(low), "high": float(high), "n": len(known)}


def compare(better: Floats, worse: Floats) -> dict[str, Any]:
    """Mean of the paired difference, its interval, and the p-value of a sign-flip permutation test (two-sided).

    Smucker, Allan and Carterette, "A comparison of statistical significance tests for IR evaluation", CIKM 2007.
    """
    difference = better - worse
    found = estimate(difference)
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], (_RESAMPLES, len(difference)))
    extreme = np.abs((signs * difference).mean(axis=1)) >= abs(difference.mean()) - 1e-12
    return found | {"p": float((extreme.sum() + 1) / (_RESAMPLES + 1))}


def _neighbours(values: Table) -> list[dict[str, Any]]:
    """Each ranker against the one next below it by mean."""
    found = []
    for measure in HEADLINE:
        ranked = sorted(values, key=lambda ranker: -float(values[ranker][measure].mean()))
        for better, worse in pairwise(ranked):
            compared = compare(values[better][measure], values[worse][measure])
            found.append({"measure": measure, "better": better, "worse": worse, **compared})
    return found


def _against(values: Table, ranker: str) -> list[dict[str, Any]]:
    """The ranker against each other one."""
    return [
        {"measure": measure, "better": ranker, "worse": other}
        | compare(values[ranker][measure], values[other][measure])
        for measure in HEADLINE
        for other in values
        if ranker in values and other != ranker
    ]


def _coverage(tops: Sequence[Sequence[str]], possible: int) -> dict[str, Any]:
    """Distinct keywords in the top 10 of all campaigns, as a share of all candidates.

    No interval: campaigns drawn twice add nothing, so that a bootstrap would lie below the figure.
    """
    distinct = len({canonical for top in tops for canonical in top})
    return {"mean": distinct / possible, "low": None, "high": None, "n": len(tops)}


def _resampled(values: Floats, statistic: Callable[[Floats], Floats]) -> Floats:
    drawn = np.random.default_rng(_SEED).integers(len(values), size=(_RESAMPLES, len(values)))
    return statistic(values[drawn])
