"""What boosting minimises: the log loss of P(looked at) x sigmoid(margin). Spark's executors get this file's functions
by value: it imports nothing of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def gradients(
    labels: NDArray[np.generic], weights: NDArray[np.floating], examined: Floats, margins: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Gradient and expected curvature (Fisher information) by margin of n rows."""
    relevance = 1.0 / (1.0 + np.exp(-np.asarray(margins, np.float64)))
    predicted = np.minimum(examined * relevance, 1 - 1e-9)
    slope = weights * (1 - relevance) / (1 - predicted)
    return slope * (predicted - labels), np.maximum(slope * predicted * (1 - relevance), 1e-9)


def start(labels: NDArray[np.bool_], weights: NDArray[np.floating], examined: Floats) -> float:
    """The margin of all rows before the first tree."""
    rate = np.average(labels, weights=weights * examined)
    return float(np.log(rate / (1 - rate)))


def signed(labels: NDArray[np.bool_], examined: Floats) -> Floats:
    """Label and P(looked at) as one number: XGBoost carries a label and a weight for each row and nothing else."""
    return np.where(labels, examined, -examined)


def shared_gradients(margins: NDArray[np.float32], rows: Any) -> tuple[Floats, Floats]:
    """`gradients` of one worker's rows, a DMatrix with labels as `signed` makes them."""
    outcome = rows.get_label()
    return gradients(outcome > 0, rows.get_weight(), np.abs(outcome), margins)


def shared_loss(margins: NDArray[np.float32], rows: Any) -> tuple[str, float]:
    """Mean log loss of all workers' rows, as a metric for XGBoost, which by itself takes the mean of their means."""
    from xgboost import collective

    outcome, weights = rows.get_label(), rows.get_weight()
    predicted = np.clip(np.abs(outcome) / (1.0 + np.exp(-np.asarray(margins, np.float64))), 1e-7, 1 - 1e-7)
    losses = np.where(outcome > 0, -np.log(predicted), -np.log1p(-predicted))
    sums = np.array([np.dot(weights, losses), np.sum(weights)], np.float64)
    loss, weight = collective.allreduce(sums, collective.Op.SUM)
    return "loss", float(loss / weight)
