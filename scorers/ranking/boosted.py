"""P(click) and P(purchase | click) by gradient-boosted trees (XGBoost).

Two classifiers over one feature matrix: clicks are learnt from impressions, purchases from clicked impressions. The
place on the page is a feature, so that the trees explain by it what it causes; a prediction is for the reference
position.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from infra.failure import Failure

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

TARGETS = ("click", "purchase")
SERVING_THREADS = 1
"""Workers share their cores with each other; a second thread would mostly wait for the first, spinning."""
_TRAINING_THREADS = max((os.cpu_count() or 1) - 1, 1)
"""One core stays free: with none to spare the threads wait for each other, ten times as long on a busy machine."""

_PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": 5,
    "min_child_weight": 50,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "lambda": 5.0,
    "max_cat_to_onehot": 4,
    "max_bin": 128,
    "nthread": _TRAINING_THREADS,
    "seed": 7,
}
_MOST_ROUNDS = 400
_PATIENCE = 30


class CannotLearn(Failure):
    """There is nothing to learn from. The text says what is missing."""


@dataclass(frozen=True)
class Examples:
    """n rows to learn from or to judge on."""

    matrix: Matrix
    labels: NDArray[np.bool_]
    weights: NDArray[np.float32]
    """How many rows of the log one stands for."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Curve:
    """Log loss after each round."""

    training: list[float]
    validation: list[float]
    best_round: int


class Boosted:
    """The two trained models."""

    def __init__(self, boosters: dict[str, xgboost.Booster]) -> None:
        self._boosters = boosters
        for booster in boosters.values():
            booster.set_param({"nthread": SERVING_THREADS})

    def predict(self, matrix: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """P(click) and P(purchase | click) of n rows, at the position that the matrix holds."""
        if not len(matrix):
            return np.zeros(0), np.zeros(0)
        click, purchase = (self._boosters[target].inplace_predict(matrix) for target in TARGETS)
        return click.astype(np.float64), purchase.astype(np.float64)

    def contributions(self, matrix: NDArray[np.floating], target: str = "click", exact: bool = False) -> Floats:
        """What each feature adds to the log-odds, n x features (SHAP; approximate by default: a hundredth of the time).

        Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017; approximate ones after
        Saabas, "Interpreting random forests", 2014.
        """
        booster = self._boosters[target]
        rows = xgboost.DMatrix(matrix, feature_types=booster.feature_types, feature_names=booster.feature_names)
        with_bias = booster.predict(rows, pred_contribs=True, approx_contribs=not exact)
        return np.asarray(with_bias[:, :-1], dtype=np.float64)

    def save(self, folder: Path) -> list[str]:
        """Write the models as UBJSON; their file names."""
        for target, booster in self._boosters.items():
            booster.save_model(folder / _file(target))
        return [_file(target) for target in self._boosters]

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


def fit(
    target: str,
    training: Examples,
    validation: Examples,
    names: Sequence[str],
    types: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, most: None,
) -> tuple[xgboost.Booster, Curve]:
    """Train one classifier, stopping when validation has not improved for a while; the trees up to its best round.

    `progress` is told how many rounds are done and how many there are at most.

    Raises:
        CannotLearn: training or validation rows hold one class only.
    """
    for name, examples in (("training", training), ("validation", validation)):
        if not len(examples) or examples.labels.all() or not examples.labels.any():
            raise CannotLearn(
                f"{target}: the {len(examples)} {name} rows are not of both classes "
                f"({int(examples.labels.sum())} of them positive): more history is needed"
            )
    train, judge = (_data(examples, names, types) for examples in (training, validation))
    losses: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        _PARAMETERS,
        train,
        num_boost_round=_MOST_ROUNDS,
        evals=[(train, "training"), (judge, "validation")],
        evals_result=losses,
        verbose_eval=False,
        callbacks=[_Told(progress), xgboost.callback.EarlyStopping(rounds=_PATIENCE, save_best=True)],
    )
    curve = Curve(losses["training"]["logloss"], losses["validation"]["logloss"], int(booster.best_iteration))
    return booster, curve


def _data(examples: Examples, names: Sequence[str], types: Sequence[str]) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        examples.matrix,
        label=examples.labels,
        weight=examples.weights,
        feature_names=list(names),
        feature_types=list(types),
        enable_categorical=True,
    )


class _Told(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Passes on how many rounds are done."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        super().__init__()
        self._tell = tell

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._tell(epoch + 1, _MOST_ROUNDS)
        return False


def _file(target: str) -> str:
    return f"{target}.ubj"
