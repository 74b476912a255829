"""One report out of several markets' reports, which count alike.

A figure is the mean of the markets' figures. They are independent, so the mean's interval reaches as far as the root of
the sum of the squared reaches, over their number. Rankers are compared anew, over the campaigns of all markets. Real
text is the same for all markets: there the mean's interval reaches as far as theirs do on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scorers.evaluation.judgement import Table, comparisons
from scorers.evaluation.studies import recovered
from scorers.evaluation.targets import targets
from scorers.retrieval.judging.real_retrieval import TOLERATED

JUDGES = ("by_true_value", "by_purchases", "by_success", "among_chosen")
_COUNTS = frozenset({"campaigns", "n", "positives", "candidates", "items", "products"})
_ESTIMATE = {"mean", "low", "high"}


def merged(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The report of all markets; what only some of them hold is left out."""
    found: dict[str, Any] = _merged([{**one, **{name: _figures(one[name]) for name in JUDGES}} for one in reports])
    found["real_text"] = _merged([one["real_text"] for one in reports], independent=False)
    if found["real_text"]:
        differences = found["real_text"]["tuned_minus_untuned"]
        found["real_text"]["not_worse"] = {name: one["low"] >= -TOLERATED for name, one in differences.items()}
    for name in JUDGES:
        found[name] |= comparisons(_values([one[name] for one in reports]))
    if "ceiling" in found.get("studies", {}):
        found["studies"]["ceiling"] = recovered(_values([one["by_true_value"] for one in reports]))
    found["targets"] = targets(found)
    return found | {"markets": len(reports)}


def _figures(judged: dict[str, Any]) -> dict[str, Any]:
    return {"campaigns": judged["campaigns"], "rows": judged["rows"]}


def _values(judged: Sequence[dict[str, Any]]) -> Table:
    """Of the rankers that every market has."""
    held = [one["values"] for one in judged if one["campaigns"]]
    if not held:
        return {}
    return {
        ranker: {measure: np.concatenate([one[ranker][measure] for one in held]) for measure in held[0][ranker]}
        for ranker in held[0]
        if all(ranker in one for one in held)
    }


def _merged(values: Sequence[Any], name: str = "", independent: bool = True) -> Any:
    first = values[0]
    if isinstance(first, dict) and all(isinstance(one, dict) for one in values):
        if set(first) >= _ESTIMATE:
            return _estimate(values, independent)
        shared = [key for key in first if all(key in one for one in values)]
        return {key: _merged([one[key] for one in values], key, independent) for key in shared}
    if isinstance(first, list) and all(isinstance(one, list) and len(one) == len(first) for one in values):
        return [_merged(ones, "", independent) for ones in zip(*values, strict=True)]
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return sum(values) if independent and name in _COUNTS else float(np.mean(values))
    if isinstance(first, str):
        return ", ".join(dict.fromkeys(map(str, values)))
    return first if all(one == first for one in values) else None


def _estimate(values: Sequence[dict[str, Any]], independent: bool) -> dict[str, Any]:
    """Of those that say something."""
    known = [one for one in values if one["mean"] is not None]
    found: dict[str, Any] = {"mean": None, "low": None, "high": None}
    if known:
        mean = float(np.mean([one["mean"] for one in known]))
        found["mean"] = mean
        if all(one["low"] is not None for one in known):
            reaches = {end: np.array([one[end] - one["mean"] for one in known]) for end in ("low", "high")}
            share = np.sqrt(len(known)) if independent else 1.0
            spread = {end: float(np.sqrt((reach**2).mean()) / share) for end, reach in reaches.items()}
            found |= {"low": mean - spread["low"], "high": mean + spread["high"]}
    return found | ({"n": _merged([one["n"] for one in values], "n", independent)} if "n" in values[0] else {})
