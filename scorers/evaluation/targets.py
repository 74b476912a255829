"""What the models are asked to reach: each target with its figure, its interval, and whether it is met."""

from __future__ import annotations

from typing import Any

from scorers.evaluation.impressions import LEAST_POSITIVES

OVERALL = (0.95, 1.05)
IN_DECILES = (0.85, 1.15)
RECOVERED = 0.8
BASELINES = ("popularity", "popularity_in_category", "similarity", "fused", "bm25", "alignment")
_GIVEN = {"click": "P(click)", "purchase": "P(purchase | click)"}


def targets(report: dict[str, Any]) -> list[dict[str, Any]]:
    """`name`, `figure`, `low`, `high` (null where there is no interval), `wanted`, `met`; those that can be judged."""
    found = [*_calibration(report), *_ahead(report)]
    if (recovered := report.get("studies", {}).get("ceiling", {}).get("recovered")) is not None:
        name = "share of the gap from the best baseline to the ceiling that the ranker recovers"
        found.append(_target(name, recovered, f">= {RECOVERED}", recovered["mean"] >= RECOVERED))
    return found


def _calibration(report: dict[str, Any]) -> list[dict[str, Any]]:
    impressions = report["impressions"] or {}
    found = []
    for target, given in _GIVEN.items():
        whole = impressions.get("model", {}).get(target, {}).get("all")
        if whole is None:
            continue
        ratio = whole["observed_to_predicted"]
        found.append(_within(f"{given}: observed / predicted", ratio, OVERALL))
        deciles = [one for one in whole["deciles"] if one["positives"] >= LEAST_POSITIVES]
        ratios = [one["observed"] / one["predicted"] for one in deciles]
        if ratios:
            worst = max(ratios, key=lambda ratio: abs(ratio - 1))
            name = f"{given}: the same in the worst of {len(ratios)} deciles with {LEAST_POSITIVES} positives"
            found.append(_within(name, {"mean": worst}, IN_DECILES))
        share = whole["log_loss"] / impressions["category rate"][target]["all"]["log_loss"]
        found.append(_target(f"{given}: log loss / that of the category's rate", {"mean": share}, "< 1", share < 1))
    return found


def _ahead(report: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for judged_by in ("by_true_value", "by_purchases"):
        for pair in report[judged_by].get("model_against_others", []):
            if pair["measure"] == "ndcg_at_10" and pair["worse"] in BASELINES:
                name = f"{judged_by.replace('_', ' ')}: NDCG@10 ahead of {pair['worse']}"
                found.append(_target(name, pair, "lower bound > 0", pair["low"] > 0))
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
