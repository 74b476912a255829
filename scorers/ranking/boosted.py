"""P(click) and P(purchase | click) by gradient-boosted trees (XGBoost). Nulls and categories are taken natively."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xgboost

from scorers.ranking.model import TARGETS, Floats, Matrix

SERVING_THREADS = 1
"""Workers share their cores with each other; a second thread would mostly wait for the first, spinning."""


class Boosted:
    """The two trained models."""

    kind = "boosted"

    def __init__(self, boosters: dict[str, xgboost.Booster]) -> None:
        self._boosters = boosters
        for booster in boosters.values():
            booster.set_param({"nthread": SERVING_THREADS})

    def log_odds(self, matrix: Matrix, target: str) -> Floats:
        """Of n rows."""
        return np.asarray(self._boosters[target].inplace_predict(matrix, predict_type="margin"), dtype=np.float64)

    def contributions(self, matrix: Matrix, target: str = "click", exact: bool = False) -> Floats:
        """What each feature adds to the log-odds, n x features (SHAP; approximate by default: a hundredth of the time).

        Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017; approximate ones after
        Saabas, "Interpreting random forests", 2014.
        """
        booster = self._boosters[target]
        names, types = booster.feature_names, booster.feature_types
        rows = xgboost.DMatrix(matrix, feature_names=names, feature_types=types, nthread=SERVING_THREADS)
        with_bias = booster.predict(rows, pred_contribs=True, approx_contribs=not exact)
        return np.asarray(with_bias[:, :-1], dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the models as UBJSON."""
        for target, booster in self._boosters.items():
            booster.save_model(folder / _file(target))

    @classmethod
    def load(cls, folder: Path) -> Boosted:
        """Read what `save` wrote.

        Raises:
            xgboost.core.XGBoostError: a file is missing or no model.
        """
        return cls({target: xgboost.Booster(model_file=folder / _file(target)) for target in TARGETS})

    @property
    def feature_names(self) -> list[str]:
        """The columns that the models were trained on, in order."""
        return list(self._boosters["click"].feature_names or [])


def _file(target: str) -> str:
    return f"{target}.ubj"
