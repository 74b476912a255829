"""What the models are asked to reach: each target with its figure, its interval, and whether it is met."""

from __future__ import annotations

from typing import Any

from scorers.evaluation.impressions import LEAST_POSITIVES
from scorers.retrieval.judging.compared import TUNED, UNTUNED
from scorers.retrieval.judging.real_retrieval import TOLERATED

OVERALL = (0.95, 1.05)
IN_DECILES = (0.85, 1.15)
RECOVERED = 0.8
FOUND = 0.95
BASELINES = (
    "popularity",
    "popularity_in_category",
    "similarity",
    "two_towers",
    "fused",
    "bm25",
    "alignment",
    "co_searched",
)
_GIVEN = {"click": "P(click)", "purchase": "P(purchase | click)"}
_DEPTH = "recall@200"
_AHEAD = "lower bound > 0"


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """`name`, `figure`, `low`, `high` (null where there is no interval), `wanted`, `met`; those that can be judged."""
    found = [*_retrieval(report), *_towers(report), *_real_text(report)]
    if (recovered := report.get("studies", {}).get("ceiling", {}).get("recovered")) is not None:
        name = "share of the gap from the best baseline to the ceiling that the ranker recovers"
        found.append(_target(name, recovered, f">= {RECOVERED}", recovered["mean"] >= RECOVERED))
    return [*found, *_calibration(report), *_ahead(report)]


def _retrieval(report: dict[str, Any]) -> list[dict[str, Any]]:
    if not (market := report.get("retrieval")):
        return []
    rows = market["rows"]
    tuned = TUNED if f"fused, {TUNED}" in rows else UNTUNED
    recall = rows[f"fused, {tuned}"][_DEPTH]
    name = f"all sources fused ({tuned}), at most 200: share of the true best 50 found"
    found = [_target(name, recall, f">= {FOUND}", recall["mean"] >= FOUND)]
    if market["tuned_minus_untuned"]:
        ahead = market["tuned_minus_untuned"][_DEPTH]
        found.append(_target(f"two towers ahead of the untuned model: {_DEPTH}", ahead, _AHEAD, ahead["low"] > 0))
    return found


def _towers(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _target("two towers ahead of the untuned model: NDCG@10", pair, _AHEAD, pair["low"] > 0)
        for pair in report["by_true_value"]["two_towers_against_others"]
        if pair["measure"] == "ndcg_at_10" and pair["worse"] == "similarity"
    ]


def _real_text(report: dict[str, Any]) -> list[dict[str, Any]]:
    differences = (report.get("real_text") or {}).get("tuned_minus_untuned", {})
    return [
        _target(
            f"real text: MRR of {name} less the same with the untuned model",
            differences[name],
            f"lower bound >= {-TOLERATED}",
            differences[name]["low"] >= -TOLERATED,
        )
        for name in ("towers", "fused")
        if name in differences
    ]


def _calibration(report: dict[str, Any]) -> list[dict[str, Any]]:
    impressions = report["impressions"] or {}
    found = []
    for target, given in _GIVEN.items():
        whole = impressions.get("model", {}).get(target, {}).get("all")
        if whole is None:
            continue
        ratio = whole["observed_to_predicted"]
        found.append(_within(f"{given}: observed / predicted", ratio, OVERALL))
        deciles = [_of_decile(one) for one in whole["deciles"] if one["positives"] >= LEAST_POSITIVES]
        if deciles:
            worst = max(deciles, key=lambda ratio: abs(ratio["mean"] - 1))
            name = f"{given}: the same in the worst of {len(deciles)} deciles with {LEAST_POSITIVES} positives"
            found.append(_within(name, worst, IN_DECILES))
        share = whole["log_loss_to_usual"]
        found.append(_target(f"{given}: log loss / that of the category's rate", share, "< 1", share["mean"] < 1))
    return found


def _of_decile(decile: dict[str, float]) -> dict[str, float]:
    """Observed / predicted, with the interval of a Poisson count."""
    ratio = decile["observed"] / decile["predicted"]
    spread = 1.96 * ratio / decile["positives"] ** 0.5
    return {"mean": ratio, "low": ratio - spread, "high": ratio + spread}


def _ahead(report: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for judged_by in ("by_true_value", "by_purchases"):
        for pair in report[judged_by].get("model_against_others", []):
            if pair["measure"] == "ndcg_at_10" and pair["worse"] in BASELINES:
                name = f"{judged_by}: NDCG@10 of the ranker ahead of {pair['worse']}".replace("_", " ")
                found.append(_target(name, pair, _AHEAD, pair["low"] > 0))
    return found


def _target(name: str, figure: dict[str, Any], wanted: str, met: bool) -> dict[str, Any]:
    return {
        "name": name,
        "figure": figure["mean"],
        "low": figure.get("low"),
        "high": figure.get("high"),
        "wanted": wanted,
        "met": bool(met),
    }


def _within(name: str, figure: dict[str, Any], bounds: tuple[float, float]) -> dict[str, Any]:
    return _target(name, figure, f"{bounds[0]} to {bounds[1]}", bounds[0] <= figure["mean"] <= bounds[1])
