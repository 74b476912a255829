"""How well log-odds fit rows: what is watched and plotted after each round or epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from scorers.training.examples import Examples, Floats

WATCHED = 10_000
"""Rows whose order is measured after each round."""
_DEPTH = 10
_LEAST = 1e-7


@dataclass(frozen=True)
class Fit:
    """Of weighted rows, each at its logged position."""

    log_loss: float
    accuracy: float
    """Share of right answers when more than half means yes."""
    auc: float
    ndcg: float
    """At 10, of each item's rows in the order of their log-odds; gain 1 for a positive."""
    calibration: float
    """Observed / predicted positives."""


@dataclass(frozen=True)
class Round:
    """One round of boosting, or one epoch."""

    target: str
    number: int
    """From 1."""
    most: int
    training: Fit
    """On a sample of the training rows, as later ones are meant to be compared with it."""
    validation: Fit


@dataclass(frozen=True)
class Curve:
    """A model's way to its best round."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def best(self) -> Round:
        """The round of the least validation loss."""
        return min(self.rounds, key=lambda one: one.validation.log_loss)


def measure(examples: Examples, log_odds: NDArray[np.floating], most: int | None = None) -> Fit:
    """All measures of one model on some rows of both classes.

    AUC and NDCG need sorting: with `most` they are taken from about so many of the rows, evenly spread.
    """
    predicted = np.clip(examples.probability(log_odds), _LEAST, 1 - _LEAST)
    weights = examples.weights.astype(np.float64)
    some = slice(None, None, max(1, len(examples) // most) if most else 1)
    return Fit(
        log_loss=log_loss(examples, predicted),
        accuracy=float(np.average((predicted > 0.5) == examples.labels, weights=weights)),
        auc=float(roc_auc_score(examples.labels[some], predicted[some], sample_weight=weights[some])),
        ndcg=grouped_ndcg(examples.groups[some], np.asarray(log_odds, np.float64)[some], examples.labels[some]),
        calibration=examples.rate / float(np.average(predicted, weights=weights)),
    )


def log_loss(examples: Examples, predicted: Floats) -> float:
    """Weighted mean of -log of the probability that was given to what happened."""
    predicted = np.clip(predicted, _LEAST, 1 - _LEAST)
    losses = np.where(examples.labels, -np.log(predicted), -np.log1p(-predicted))
    return float(np.average(losses, weights=examples.weights))


def majority(examples: Examples) -> float:
    """Accuracy of always giving the commoner answer."""
    return max(examples.rate, 1 - examples.rate)


def grouped_ndcg(groups: NDArray[np.int64], scores: Floats, gains: NDArray[np.generic]) -> float:
    """Mean NDCG at 10 over the groups that hold a gain; NaN without one.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002.
    """
    found = _discounted(groups, scores, gains)
    ideal = _discounted(groups, gains.astype(np.float64), gains)
    return float((found[ideal > 0] / ideal[ideal > 0]).mean()) if (ideal > 0).any() else float("nan")


def _discounted(groups: NDArray[np.int64], scores: Floats, gains: NDArray[np.generic]) -> Floats:
    order = np.lexsort((-scores, groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    worth = np.where(place < _DEPTH, gains[order].astype(np.float64) / np.log2(place + 2), 0.0)
    return np.add.reduceat(worth, starts)
