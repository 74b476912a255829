"""Held-out campaigns and keywords by kind: where a ranker is strong, and where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scorers.evaluation.gains import Gains
from scorers.evaluation.judgement import estimate
from scorers.evaluation.measures import ndcg
from scorers.evaluation.orders import Orders
from scorers.ranking.features import Floats
from streams.contracts.messages import ProductState

_THIRDS = ("tail", "torso", "head")


def by_slice(
    orders: Sequence[Orders], gains: Mapping[str, Gains], products: Mapping[str, ProductState], rankers: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Slice -> value -> ranker -> NDCG@10 with its interval over the slice's campaigns."""
    judged = [one for one in orders if one.campaign.campaign in gains]
    if not judged:
        return {}
    prices = np.array([_price(one, products) for one in judged])
    found = {
        "item": _of(judged, gains, rankers, _third(np.array([one.impressions for one in judged]))),
        "item known": _of(judged, gains, rankers, ["warm" if one.impressions else "cold" for one in judged]),
        "price band": _of(judged, gains, rankers, _third(prices, ("low", "middle", "high"))),
        "category": _of(judged, gains, rankers, [one.campaign.category for one in judged]),
    }
    found["keyword"] = {
        tier: {ranker: estimate(np.array([_of_tier(one, gains, ranker, tier) for one in judged])) for ranker in rankers}
        for tier in reversed(_THIRDS)
    }
    return found


def _of(
    judged: Sequence[Orders], gains: Mapping[str, Gains], rankers: Sequence[str], values: Sequence[str]
) -> dict[str, Any]:
    scored = {ranker: np.array([_ndcg(one, gains, ranker) for one in judged]) for ranker in rankers}
    named = np.array(values)
    return {
        str(value): {ranker: estimate(scores[named == value]) for ranker, scores in scored.items()}
        for value in dict.fromkeys(sorted(values))
    }


def _ndcg(one: Orders, gains: Mapping[str, Gains], ranker: str) -> float:
    own = gains[one.campaign.campaign]
    canonicals = [one.canonicals[row] for row in one.order(ranker)]
    return ndcg(own.in_order(canonicals), list(own.of_concept.values()))


def _of_tier(one: Orders, gains: Mapping[str, Gains], ranker: str, tier: str) -> float:
    """NDCG among the keywords of a tier alone; NaN where none of them gains."""
    own, tiers = gains[one.campaign.campaign], tiers_of(one.shares)
    canonicals = [one.canonicals[row] for row in one.order(ranker) if tiers[row] == tier]
    concepts = set(own.concepts(canonicals))
    possible = {concept: gain for concept, gain in own.of_concept.items() if concept in concepts}
    if not possible:
        return float("nan")
    return ndcg(replace(own, of_concept=possible).in_order(canonicals), list(possible.values()))


def tiers_of(shares: Floats) -> list[str]:
    """Head, torso or tail of each keyword: together the keywords of each make a third of the searches."""
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    tiers = np.empty(len(shares), dtype=object)
    total = max(float(shares.sum()), 1e-12)
    tiers[order] = [("head", "torso", "tail")[min(int(3 * share / total), 2)] for share in before]
    return [str(tier) for tier in tiers]


def _third(values: Floats, names: Sequence[str] = _THIRDS) -> list[str]:
    low, high = np.nanquantile(values, [1 / 3, 2 / 3]) if not np.isnan(values).all() else (0.0, 0.0)
    return [
        "unknown" if np.isnan(value) else names[0] if value <= low else names[1] if value <= high else names[2]
        for value in values
    ]


def _price(one: Orders, products: Mapping[str, ProductState]) -> float:
    prices = [products[item].price for item in one.campaign.items if item in products]
    known = [price for price in prices if price is not None]
    return float(np.median(known)) if known else float("nan")
