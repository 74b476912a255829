"""P(click) and P(purchase | click) by logistic regression: each feature's weight can be read.

Logistic and not plain linear regression: an outcome is yes or no. A line fitted to that predicts below 0 and above 1,
assumes the same spread of error everywhere, and adds effects where shoppers' odds multiply; log loss, which
calibration needs, is not even defined for it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from scorers.ranking.model import TARGETS, Floats, Matrix
from scorers.ranking.preparation import Preparation

_FILE = "linear.json"


class Weights(msgspec.Struct, frozen=True):
    """Of one target. A weight is the change of the log-odds by one standard deviation, or by being of that category."""

    preparation: Preparation
    columns: list[str]
    """The preparation's, then `feature=code` for each category (`feature=0` is missing or unknown)."""
    coefficients: list[float]
    standard_errors: list[float]
    """Robust ones (sandwich), as rows are weighted."""
    intercept: float


class Linear:
    """The two trained models."""

    kind = "linear"

    def __init__(self, weights: dict[str, Weights]) -> None:
        self.weights = weights

    @property
    def feature_names(self) -> list[str]:
        """The columns that the models were trained on, in order."""
        return self.weights[TARGETS[0]].preparation.features

    def log_odds(self, matrix: Matrix, target: str) -> Floats:
        """Of n rows."""
        weights = self.weights[target]
        return np.asarray(design(weights.preparation, matrix) @ np.asarray(weights.coefficients) + weights.intercept)

    def contributions(self, matrix: Matrix, target: str = "click", exact: bool = False) -> Floats:
        """What each feature adds to the log-odds, against its mean, n x features. Always exact."""
        weights = self.weights[target]
        added = design(weights.preparation, matrix) * np.asarray(weights.coefficients)
        of_feature = np.zeros((len(matrix), len(self.feature_names)))
        for at, column in enumerate(weights.columns):
            feature = column.removesuffix(" is missing").partition("=")[0]
            of_feature[:, self.feature_names.index(feature)] += added[:, at]
        return of_feature

    def save(self, folder: Path) -> None:
        """Write the models as JSON."""
        (folder / _FILE).write_bytes(msgspec.json.format(msgspec.json.encode(self.weights), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Linear:
        """Read what `save` wrote.

        Raises:
            OSError, msgspec.MsgspecError: the file is missing or no model.
        """
        return cls(msgspec.json.decode((folder / _FILE).read_bytes(), type=dict[str, Weights]))


def design(preparation: Preparation, matrix: Matrix) -> Floats:
    """n x (the preparation's columns, then a column for each category's code)."""
    codes = preparation.codes(matrix)
    hot = [codes[:, [at]] == np.arange(count + 1)[None, :] for at, count in enumerate(preparation.categories.values())]
    return np.hstack([preparation.apply(matrix), *hot]).astype(np.float64)


def design_columns(preparation: Preparation) -> list[str]:
    """Names of the columns of `design`."""
    of_categories = [f"{name}={code}" for name, count in preparation.categories.items() for code in range(count + 1)]
    return [*preparation.columns, *of_categories]
