"""Are the probabilities right? Rankers on impressions that training never saw, each at its logged position.

The first day after training, pairs that were shown before, pairs that never were, shuffled pages (no selection, no
ranking), and cold items, keywords and campaigns are judged apart. Where the market's truth is known, predictions for
the reference position are held against it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import spearmanr

from infra.settings import DAY_MS, Settings
from scorers.history import History
from scorers.ranking.features import Floats, Sums, Vocabulary, feature_names, in_longest_window
from scorers.ranking.model import TARGETS, Probabilities
from scorers.retrieval.matching import Matcher
from scorers.training.dataset import examples, label_rows, outcome_known
from scorers.training.examination import Examination
from scorers.training.examples import Examples, both_classes
from scorers.training.measures import grouped_ndcg, log_loss, measure
from scorers.training.plots import reliability
from scorers.training.ranker import sums_and_features

MOST_IMPRESSIONS = 60_000
FIRST_DAY = "first day after training"
LEAST_POSITIVES = 400
"""A decile of predictions with fewer says little of calibration."""
_RATES = {"click": "category_ctr", "purchase": "category_conversion"}
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Impressions:
    """n held-out impressions with their outcomes, features as they were readable, and the truth if it is known."""

    rows: pl.DataFrame
    features: NDArray[np.float32]
    truth: dict[str, Floats]
    """Target -> true probability at the reference position; NaN where not known."""
    slices: dict[str, Flags]

    def examples(self, target: str, chosen: Flags, looked: Examination) -> Examples:
        """The chosen rows as examples of a target; purchases among clicks only."""
        return examples(self.features, self.rows, target, chosen, looked)

    def chosen(self, target: str, chosen: Flags) -> Flags:
        """Of the chosen rows those that say something of a target."""
        return chosen & outcome_known(self.rows, target)


def held_out_impressions(
    history: History, trained_until: int, matcher: Matcher, vocabulary: Vocabulary, settings: Settings
) -> Impressions | None:
    """Impressions since training ended whose outcome is known; None without any."""
    rows = label_rows(history, trained_until, history.span[1], settings, MOST_IMPRESSIONS)
    if rows.is_empty():
        return None
    sums, features = sums_and_features(rows, history, matcher, vocabulary, settings)
    return Impressions(
        rows,
        features,
        true_probabilities(rows, history.folder),
        _slices(rows, sums, trained_until + DAY_MS),
    )


def _slices(rows: pl.DataFrame, sums: Sums, first_day_until: int) -> dict[str, Flags]:
    def seen(of_kind: Floats, metric: str = "impressions") -> Flags:
        return np.asarray(in_longest_window(of_kind, metric) > 0)

    sponsored = rows.get_column("campaign").is_not_null().to_numpy()
    return {
        "all": np.ones(len(rows), np.bool_),
        FIRST_DAY: (rows.get_column("event_time") < first_day_until).to_numpy(),
        "sponsored": sponsored,
        "organic": ~sponsored,
        "pair shown before": seen(sums.pair),
        "pair never shown": ~seen(sums.pair),
        "shuffled pages": rows.get_column("shuffled").fill_null(False).to_numpy(),
        "new item": ~seen(sums.item),
        "new keyword": ~seen(sums.keyword, "searches"),
        "new campaign": sponsored & ~seen(sums.campaign),
    }


def true_probabilities(rows: pl.DataFrame, folder: Path) -> dict[str, Floats]:
    """True P(click) at position 1 and P(purchase | click) of each row's item and keyword; empty without a truth."""
    if not (folder / "truth.parquet").exists():
        return {}
    texts = pl.read_parquet(folder / "keywords_truth.parquet").unique("text").rename({"canonical": "concept"})
    truth = pl.read_parquet(folder / "truth.parquet").select(
        "item", concept="canonical", click="p_click", purchase="p_purchase"
    )
    known = (
        rows.select("item", text="keyword")
        .join(texts, on="text", how="left", maintain_order="left")
        .join(truth, on=["item", "concept"], how="left", maintain_order="left")
    )
    return {target: known.get_column(target).fill_null(np.nan).to_numpy() for target in TARGETS}


def judge_impressions(
    impressions: Impressions, models: Mapping[str, Probabilities], looked: Examination, settings: Settings
) -> dict[str, Any]:
    """Ranker -> target -> slice -> measures; `category rate` is a ranker too: what needs no model."""
    found: dict[str, Any] = {}
    names = feature_names(settings.windows)
    predictions = {name: model.predict(impressions.features) for name, model in models.items()}
    rates = [impressions.features[:, _column(names, rate)].astype(np.float64) for rate in _RATES.values()]
    # The category's rate is of clicks as logged: at the reference position it is greater by the mean of looks.
    mean_look = float(looked.at(impressions.rows.get_column("position").to_numpy()).mean())
    predictions["category rate"] = (np.minimum(rates[0] / mean_look, 0.99), rates[1])
    for name, of_both in predictions.items():
        for target, predicted, usual in zip(TARGETS, of_both, predictions["category rate"], strict=True):
            slices = {
                label: measured
                for label, chosen in impressions.slices.items()
                if (measured := _measured(impressions, target, chosen, predicted, usual, looked)) is not None
            }
            found.setdefault(name, {})[target] = slices
    return found


def _measured(
    impressions: Impressions, target: str, chosen: Flags, predicted: Floats, usual: Floats, looked: Examination
) -> dict[str, Any] | None:
    """`usual`: the category's rate. None where the rows are of one class."""
    rows = impressions.examples(target, chosen, looked)
    if not both_classes(rows):
        return None
    chosen = impressions.chosen(target, chosen)
    given = np.clip(predicted[chosen], 1e-7, 1 - 1e-7)
    logged = rows.examined * given
    fit = measure(rows, np.log(given / (1 - given)))
    deciles = [
        {"predicted": mean, "observed": rate, "positives": positives}
        for mean, rate, positives in reliability(rows, logged)
    ]
    found: dict[str, Any] = {
        "rows": len(rows),
        "positives": int(rows.labels.sum()),
        "log_loss": log_loss(rows, logged),
        "auc": fit.auc,
        "ndcg": grouped_ndcg(rows.groups, given, rows.labels),
        "observed_to_predicted": _ratio(rows, logged),
        "log_loss_to_usual": _loss_ratio(rows, logged, rows.examined * np.clip(usual[chosen], 1e-7, 1 - 1e-7)),
        "deciles": deciles,
    }
    if target in impressions.truth:
        found["truth"] = against_truth(impressions.truth[target][chosen], given, rows.weights.astype(np.float64))
    return found


def against_truth(true: Floats, given: Floats, weights: Floats) -> dict[str, float] | None:
    """At the reference position: divergence (Kullback-Leibler, nats), rank correlation, mean true / mean given."""
    known = ~np.isnan(true)
    if known.sum() < 2:
        return None
    p, q, w = np.clip(true[known], 1e-7, 1 - 1e-7), given[known], weights[known]
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return {
        "divergence": float(np.average(divergence, weights=w)),
        "rank_correlation": float(spearmanr(p, q).statistic),
        "true_to_given": float(np.average(p, weights=w) / np.average(q, weights=w)),
    }


def _ratio(rows: Examples, predicted: Floats) -> dict[str, float]:
    """Observed / predicted positives, with a 95 % interval (weighted counts, normal approximation)."""
    weights = rows.weights.astype(np.float64)
    expected = float(np.dot(weights, predicted))
    ratio = float(np.dot(weights, rows.labels)) / expected
    spread = 1.96 * float(np.sqrt(np.dot(weights**2, rows.labels * (1 - predicted)))) / expected
    return {"mean": ratio, "low": ratio - spread, "high": ratio + spread}


def _loss_ratio(rows: Examples, predicted: Floats, usual: Floats) -> dict[str, float]:
    """Log loss / that of `usual`, with a 95 % interval (a ratio of means by the delta method)."""
    weights = rows.weights.astype(np.float64)
    ours, theirs = (-weights * np.where(rows.labels, np.log(given), np.log(1 - given)) for given in (predicted, usual))
    ratio = float(ours.sum() / theirs.sum())
    spread = 1.96 * float(np.sqrt(np.sum((ours - ratio * theirs) ** 2)) / theirs.sum())
    return {"mean": ratio, "low": ratio - spread, "high": ratio + spread}


def _column(names: tuple[str, ...], start: str) -> int:
    return max(at for at, name in enumerate(names) if name.startswith(start))
