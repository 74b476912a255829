"""Logistic regression on standardised features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scorers.ranking.linear import Linear, Weights, design, design_columns
from scorers.ranking.model import PairModel
from scorers.ranking.preparation import prepare
from scorers.training.examples import Examples, Features, Floats, check
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.learners.logistic import MOST_STEPS, logistic
from scorers.training.measures import WATCHED, Curve, Round, measure


class LinearLearner:
    """See `Learner`. A round is a step of the optimiser; the last one is kept, for the likelihood has one maximum."""

    defaults: ClassVar[Parameters] = {"penalty": 30.0}

    def __init__(self, features: Features) -> None:
        self._features = features

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[Weights, Curve]:
        """See `Learner`."""
        check(target, training, validation)
        preparation = prepare(training.matrix, self._features.names, self._features.types)
        columns = design(preparation, training.matrix)
        watched = training.some(WATCHED)
        judged = [(examples, design(preparation, examples.matrix)) for examples in (watched, validation)]
        curve = Curve()

        def tell(found: Floats) -> None:
            seen, unseen = (measure(examples, rows @ found[:-1] + found[-1], WATCHED) for examples, rows in judged)
            curve.rounds.append(Round(target, len(curve.rounds) + 1, MOST_STEPS, seen, unseen))
            watch(curve.rounds[-1])

        fitted = logistic(columns, training.labels, training.weights, training.examined, parameters["penalty"], tell)
        weights = Weights(
            preparation,
            design_columns(preparation),
            fitted.coefficients.tolist(),
            np.sqrt(np.maximum(np.diag(fitted.covariance)[:-1], 0.0)).tolist(),
            fitted.intercept,
        )
        return weights, curve

    def model(self, parts: Mapping[str, Any]) -> PairModel:
        """See `Learner`."""
        return Linear(dict(parts))

    def suggest(self, trial: Any) -> Parameters:
        """See `Learner`."""
        return {"penalty": trial.suggest_float("penalty", 0.1, 3_000.0, log=True)}
