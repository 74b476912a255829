"""What every learner is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from scorers.ranking.model import KINDS, PairModel
from scorers.training.examples import Examples, Features
from scorers.training.measures import Curve, Round

Parameters = Mapping[str, Any]
Watch = Callable[[Round], None]
"""Told of each round as it ends. What it raises ends the training."""


class Learner(Protocol):
    """Learns one target at a time and puts the results together."""

    @property
    def defaults(self) -> Parameters:
        """Hyperparameters of a target when nothing is tuned."""
        ...

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[Any, Curve]:
        """Train, stopping when validation has not improved for a while; the part of its best round, for `model`.

        Raises:
            CannotLearn: training or validation rows hold one class only.
        """
        ...

    def model(self, parts: Mapping[str, Any]) -> PairModel:
        """One model of the parts of both targets."""
        ...

    def suggest(self, trial: Any) -> Parameters:
        """Hyperparameters for an Optuna trial."""
        ...


def learner(kind: str, features: Features) -> Learner:
    """The learner of that kind, for rows of these features."""
    if kind == "boosted":
        from scorers.training.learners.boosted import BoostedLearner

        return BoostedLearner(features)
    if kind == "linear":
        from scorers.training.learners.linear import LinearLearner

        return LinearLearner(features)
    if kind == "neural":
        from scorers.training.learners.neural import NeuralLearner

        return NeuralLearner(features)
    raise ValueError(f"model {kind!r} is not one of {', '.join(KINDS)}")
