"""XGBoost learns log-odds at the reference position from outcomes at logged positions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import xgboost
from numpy.typing import NDArray

from scorers.ranking.boosted import Boosted
from scorers.ranking.model import PairModel
from scorers.training.examples import Examples, Features, check
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.learners.objective import gradients, start
from scorers.training.measures import WATCHED, Curve, Fit, Round, measure

_THREADS = max((os.cpu_count() or 1) - 1, 1)
"""One core stays free: with none to spare the threads wait for each other, ten times as long on a busy machine."""
MOST_ROUNDS = 400
_PATIENCE = 30
FIXED: dict[str, Any] = {
    "tree_method": "hist",
    "max_cat_to_onehot": 4,
    "max_bin": 128,
    "disable_default_eval_metric": 1,
    "seed": 7,
}


class BoostedLearner:
    """See `Learner`."""

    defaults: ClassVar[Parameters] = {
        "eta": 0.08,
        "max_depth": 4,
        "min_child_weight": 20.0,
        "subsample": 0.8,
        "colsample_bytree": 0.2,
        "lambda": 5.0,
    }

    def __init__(self, features: Features) -> None:
        self.features = features

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[xgboost.Booster, Curve]:
        """See `Learner`."""
        check(target, training, validation)
        watched = training.some(WATCHED)
        train, judge, sample = (dmatrix(rows, self.features) for rows in (training, validation, watched))
        teller = _Teller(target, watched, validation, watch)
        outcome = training.labels, training.weights, training.examined
        booster = xgboost.train(
            {**FIXED, **parameters, "nthread": _THREADS, "base_score": start(*outcome)},
            train,
            num_boost_round=MOST_ROUNDS,
            obj=lambda margins, _: gradients(*outcome, margins),
            custom_metric=teller.metric,
            evals=[(sample, "training"), (judge, "validation")],
            verbose_eval=False,
            callbacks=[teller, early_stopping()],
        )
        return booster, teller.curve

    def model(self, parts: Mapping[str, Any]) -> PairModel:
        """See `Learner`."""
        return Boosted(dict(parts))

    def suggest(self, trial: Any) -> Parameters:
        """See `Learner`."""
        return {
            "eta": trial.suggest_float("eta", 0.02, 0.15, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 7),
            "min_child_weight": trial.suggest_float("min_child_weight", 5.0, 200.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.1, 1.0, log=True),
            "lambda": trial.suggest_float("lambda", 0.5, 50.0, log=True),
        }


def early_stopping() -> xgboost.callback.EarlyStopping:
    """Ends a training whose validation loss has not improved for a while, and keeps the best rounds."""
    return xgboost.callback.EarlyStopping(
        rounds=_PATIENCE, save_best=True, metric_name="loss", data_name="validation", maximize=False
    )


def dmatrix(examples: Examples, features: Features) -> xgboost.DMatrix:
    """The rows as XGBoost takes them."""
    return xgboost.DMatrix(
        examples.matrix,
        label=examples.labels,
        weight=examples.weights,
        feature_names=list(features.names),
        feature_types=list(features.types),
        enable_categorical=True,
    )


class _Teller(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Measures each round, and tells of it."""

    def __init__(self, target: str, watched: Examples, validation: Examples, watch: Watch) -> None:
        super().__init__()
        self._target, self._examples, self._watch = target, (watched, validation), watch
        self._fits: list[Fit] = []
        self.curve = Curve()

    def metric(self, margins: NDArray[np.float32], _: xgboost.DMatrix) -> tuple[str, float]:
        """XGBoost asks for each of its sets in turn."""
        self._fits.append(measure(self._examples[len(self._fits)], margins, WATCHED))
        return "loss", self._fits[-1].log_loss

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        training, validation = self._fits
        self._fits = []
        self.curve.rounds.append(Round(self._target, epoch + 1, MOST_ROUNDS, training, validation))
        self._watch(self.curve.rounds[-1])
        return False
