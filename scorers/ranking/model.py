"""What every ranker is: log-odds of P(click) and P(purchase | click) for rows of features, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrix = NDArray[np.floating]

TARGETS = ("click", "purchase")
KINDS = ("linear", "boosted", "neural")


class PairModel(Protocol):
    """Two classifiers over one feature matrix, for the reference position: a place on the page is no feature."""

    @property
    def kind(self) -> str:
        """Of `KINDS`."""
        ...

    @property
    def feature_names(self) -> list[str]:
        """The columns that it was trained on, in order."""
        ...

    def log_odds(self, matrix: Matrix, target: str) -> Floats:
        """Of n rows."""
        ...

    def contributions(self, matrix: Matrix, target: str = "click", exact: bool = False) -> Floats:
        """What each feature adds to the log-odds, n x features; `exact` may take a hundred times as long."""
        ...

    def save(self, folder: Path) -> None:
        """Write it as data, never as a pickle."""
        ...


class Calibration(msgspec.Struct, frozen=True):
    """Log-odds are stretched and moved until predictions agree with what was observed (Platt scaling).

    Platt, "Probabilistic outputs for support vector machines", 1999.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def log_odds(self, raw: Floats) -> Floats:
        """Calibrated log-odds."""
        return self.slope * raw + self.intercept

    def probability(self, raw: Floats) -> Floats:
        """The calibrated probability."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.log_odds(raw))))


class Probabilities:
    """A model and its calibration: what scores rows."""

    def __init__(self, model: PairModel, calibration: Mapping[str, Calibration]) -> None:
        self.model = model
        self.calibration = dict(calibration)

    @property
    def feature_names(self) -> list[str]:
        """The columns that the model was trained on, in order."""
        return self.model.feature_names

    def predict(self, matrix: Matrix) -> tuple[Floats, Floats]:
        """P(click) and P(purchase | click) of n rows, at the reference position."""
        if not len(matrix):
            return np.zeros(0), np.zeros(0)
        click, purchase = (
            self.calibration.get(target, Calibration()).probability(self.model.log_odds(matrix, target))
            for target in TARGETS
        )
        return click, purchase

    def contributions(self, matrix: Matrix, target: str = "click", exact: bool = False) -> Floats:
        """What each feature adds to the log-odds before calibration, n x features."""
        return self.model.contributions(matrix, target, exact)


def load_model(kind: str, folder: Path) -> PairModel:
    """Read what a model of that kind saved.

    Raises:
        Exception: a file is missing or no such model.
    """
    if kind == "boosted":
        from scorers.ranking.boosted import Boosted

        return Boosted.load(folder)
    if kind == "linear":
        from scorers.ranking.linear import Linear

        return Linear.load(folder)
    if kind == "neural":
        from scorers.ranking.neural import Neural

        return Neural.load(folder)
    raise ValueError(f"model {kind!r} is not one of {', '.join(KINDS)}")
