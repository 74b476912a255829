"""What a challenger must show before it becomes champion. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.settings import Settings
from scorers.evaluation.impressions import FIRST_DAY
from scorers.retrieval.judging.compared import TUNED
from scorers.retrieval.judging.real_retrieval import TOLERATED

CALIBRATED = (0.95, 1.05)
"""The interval of observed / predicted must reach into this."""
_CALIBRATED_ON = {"click": FIRST_DAY, "purchase": "all"}
"""Which impressions it is judged on: docs/decisions/calibration-of-the-first-day.md."""
_ROWS = "200"


@dataclass(frozen=True)
class Rule:
    """One condition, and how the challenger stands to it."""

    name: str
    wanted: str
    found: str
    passed: bool


def features(refused: str = "") -> Rule:
    """`refused`: why a worker would refuse the bundle (feature list, windows, weights); empty when it would not."""
    return Rule("features", "equal to this release's", refused or "equal", not refused)


def gate(report: dict[str, Any], settings: Settings) -> list[Rule]:
    """All rules for a bundle that a worker would take.

    `report`: of `evaluate`, with the challenger as `model` and the champion, if there is one, as `champion`.
    """
    taken = report["models"]["model"]["milliseconds"][_ROWS]
    return [
        features(),
        _quality(report, settings),
        *(_real_text(report, name) for name in ("towers", "fused")),
        *(_calibration(report, target, rows) for target, rows in _CALIBRATED_ON.items()),
        _at_most("latency", taken, settings.promote_latency_ms, "ms for 200 rows"),
        _at_most("size", report["bundle_megabytes"], settings.promote_megabytes, "MB"),
    ]


def _quality(report: dict[str, Any], settings: Settings) -> Rule:
    """Not worse than the champion; without one, better than popularity."""
    judged = report[report["judged_by"]]
    others = {one["worse"]: one for one in judged["model_against_others"] if one["measure"] == "ndcg_at_10"}
    rival, least = ("champion", -settings.promote_margin) if "champion" in others else ("popularity", 0.0)
    compared = others[rival]
    return Rule(
        "quality",
        f"NDCG@10 against {rival}: lower bound > {least:g}",
        f"{compared['mean']:+.3f} ({compared['low']:+.3f} to {compared['high']:+.3f}, {compared['n']} campaigns)",
        compared["low"] > least,
    )


def _real_text(report: dict[str, Any], name: str) -> Rule:
    """What is trained on one market must not lose on other people's words."""
    rule = f"real text, {name}"
    wanted = f"MRR less that of the untuned model: lower bound >= {-TOLERATED}"
    if (judged := report["real_text"]) is None:
        return Rule(rule, wanted, "not judged: no catalogue was given (--catalogue)", True)
    if report["encoders"]["bundle"] != report["encoders"].get(TUNED):
        return Rule(rule, wanted, "the untuned model itself", True)
    found = judged["tuned_minus_untuned"][name]
    told = f"{found['mean']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f}, {found['n']} products)"
    return Rule(rule, wanted, told, found["low"] >= -TOLERATED)


def _calibration(report: dict[str, Any], target: str, rows: str) -> Rule:
    judged = ((report["impressions"] or {}).get("model", {}).get(target, {})).get(rows)
    wanted = f"observed / predicted {CALIBRATED[0]} to {CALIBRATED[1]}, within its interval ({rows})"
    if judged is None:
        return Rule(f"calibration of {target}", wanted, "no impression with a known outcome to judge by", False)
    ratio = judged["observed_to_predicted"]
    return Rule(
        f"calibration of {target}",
        wanted,
        f"{ratio['mean']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})",
        ratio["low"] <= CALIBRATED[1] and ratio["high"] >= CALIBRATED[0],
    )


def _at_most(name: str, found: float, most: float, unit: str) -> Rule:
    return Rule(name, f"at most {most:g} {unit}", f"{found:.1f}", found <= most)
