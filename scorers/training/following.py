"""A training by several processes: the first one leads, makes the examples and writes the bundle; the others fit along.

Examples go from the first to the others as Parquet, in a folder that all must see.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scorers.ranking.neural import Network
from scorers.training.examples import Examples, Features
from scorers.training.exchange import read_examples, write_examples
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.learners.neural import NeuralLearner
from scorers.training.measures import Curve
from scorers.training.processes import told_by_the_first


@dataclass(frozen=True)
class _Task:
    target: str
    path: Path
    features: Features
    parameters: Parameters


class LeadingLearner(NeuralLearner):
    """See `Learner`. The first process's: the others follow it."""

    def __init__(self, features: Features, folder: Path) -> None:
        super().__init__(features)
        self._folder = folder

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[Network, Curve]:
        """See `Learner`. What `watch` raises would leave the others waiting."""
        path = self._folder / f"{target}.parquet"
        write_examples(path, training, validation, self.features)
        told_by_the_first(_Task(target, path, self.features, parameters))
        return super().fit(target, training, validation, parameters, watch)


def dismiss() -> None:
    """The first process tells the others that there is nothing more to fit."""
    told_by_the_first(None)


def follow() -> None:
    """What the other processes do until they are dismissed."""
    while task := told_by_the_first(_nothing()):
        training, validation = read_examples(task.path, task.features)
        NeuralLearner(task.features).fit(task.target, training, validation, task.parameters, lambda done: None)


def _nothing() -> _Task | None:
    return None
