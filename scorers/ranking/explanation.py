"""Why the ranker says what it says: contributions of features, for one suggestion and over many rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scorers.ranking.model import PairModel, Probabilities
from streams.contracts.messages import Contribution

MOST = 5


def top_contributions(
    models: PairModel | Probabilities, matrix: NDArray[np.floating], names: Sequence[str], most: int = MOST
) -> list[list[Contribution]]:
    """For each row the `most` features that add most to, or take most from, its log-odds of a click."""
    if not len(matrix):
        return []
    amounts = models.contributions(matrix)
    order = np.argsort(-np.abs(amounts), axis=1, kind="stable")[:, :most]
    return [
        [
            Contribution(
                feature=names[column],
                value=None if np.isnan(row[column]) else float(row[column]),
                contribution=float(of_row[column]),
            )
            for column in best
        ]
        for row, of_row, best in zip(matrix, amounts, order, strict=True)
    ]


def plot_summary(
    models: PairModel | Probabilities,
    target: str,
    matrix: NDArray[np.float32],
    names: Sequence[str],
    path: Path,
    most: int = 20,
) -> None:
    """SHAP summary plot (exact contributions) of the rows, as PNG. Some hundred rows will do."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import shap

    amounts = models.contributions(matrix, target, exact=True)
    shap.summary_plot(
        amounts, matrix, feature_names=list(names), max_display=most, show=False, rng=np.random.default_rng(7)
    )
    given = "P(click)" if target == "click" else "P(purchase | click)"
    plt.title(f"What moves {given}: contribution to the log-odds")
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, dpi=110, bbox_inches="tight")
    plt.close("all")
