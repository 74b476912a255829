"""Plots of a training, as PNG: the curves of every measure, and predicted against observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from scorers.training.examples import Examples, Floats
from scorers.training.measures import Curve

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_MEASURES = ("log_loss", "accuracy", "auc", "ndcg", "calibration")
GIVEN = {"click": "P(click)", "purchase": "P(purchase | click)"}


def plot_curves(curves: Mapping[str, Curve], lines: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    """Each measure after each round, on training and validation rows, a row of plots a target.

    `lines`: target -> measure -> what needs no model (log loss of the rate, accuracy of the majority), dotted.
    """
    figure, axes = plt.subplots(len(curves), len(_MEASURES), figsize=(20, 3.6 * len(curves)), squeeze=False)
    for row, (target, curve) in zip(axes, curves.items(), strict=True):
        numbers = [one.number for one in curve.rounds]
        for axis, name in zip(row, _MEASURES, strict=True):
            for rows, style in (("training", "--"), ("validation", "-")):
                values = [getattr(getattr(one, rows), name) for one in curve.rounds]
                axis.plot(numbers, values, style, label=rows)
            axis.axvline(curve.best.number, color="grey", linewidth=0.8)
            if name in lines[target]:
                axis.axhline(lines[target][name], color="black", linestyle=":", label="without a model")
            axis.set_title(f"{GIVEN[target]}: {name.replace('_', ' ')}")
            axis.set_xlabel("round")
        row[0].legend()
    _save(figure, title, path)


def plot_calibration(rows: Mapping[str, tuple[Examples, Floats]], title: str, path: Path, bins: int = 10) -> None:
    """Observed against predicted (at the logged position) in bins of as many rows; on the diagonal is right."""
    figure, axes = plt.subplots(1, len(rows), figsize=(5.5 * len(rows), 5), squeeze=False)
    for axis, (target, (examples, predicted)) in zip(axes[0], rows.items(), strict=True):
        points = np.array([(p, o) for p, o, _ in reliability(examples, predicted, bins)])
        axis.plot([0, points.max()], [0, points.max()], ":", color="grey")
        axis.plot(points[:, 0], points[:, 1], "o-")
        axis.set_title(GIVEN[target])
        axis.set_xlabel("predicted")
        axis.set_ylabel("observed")
    _save(figure, title, path)


def reliability(examples: Examples, predicted: Floats, bins: int = 10) -> Sequence[tuple[float, float, int]]:
    """Mean predicted, observed share and number of positives, in bins of as many weighted rows, lowest first."""
    order = np.argsort(predicted, kind="stable")
    weights = examples.weights[order].astype(np.float64)
    bin_of = np.minimum((np.cumsum(weights) / weights.sum() * bins).astype(int), bins - 1)
    labels, ordered = examples.labels[order], predicted[order]
    found = []
    for number in np.unique(bin_of):
        own = bin_of == number
        found.append(
            (
                float(np.average(ordered[own], weights=weights[own])),
                float(np.average(labels[own], weights=weights[own])),
                int(labels[own].sum()),
            )
        )
    return found


def _save(figure: plt.Figure, title: str, path: Path) -> None:
    figure.suptitle(title)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
