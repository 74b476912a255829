"""Rows to learn from or to judge on, as every learner takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.failure import Failure

Floats = NDArray[np.float64]


class CannotLearn(Failure):
    """There is nothing to learn from. The text says what is missing."""

    exit_code = 2


@dataclass(frozen=True)
class Examples:
    """n rows."""

    matrix: NDArray[np.float32]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float32]
    """How many rows of the log one stands for."""
    examined: Floats
    """P(looked at) at the row's place on the page, against the reference position; 1 where it plays no part."""
    groups: NDArray[np.int64]
    """Rows of one item, whose keywords are to be ordered, share a number."""

    def __len__(self) -> int:
        return len(self.labels)

    def probability(self, log_odds: NDArray[np.floating]) -> Floats:
        """Of the outcome at the logged position: `examined` x that at the reference position."""
        return np.asarray(self.examined / (1.0 + np.exp(-np.asarray(log_odds, np.float64))))

    def some(self, most: int) -> Examples:
        """At most so many of the rows, drawn evenly."""
        return self.take(np.random.default_rng(7).permutation(len(self))[:most])

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """The rows of these numbers."""
        return Examples(
            self.matrix[rows], self.labels[rows], self.weights[rows], self.examined[rows], self.groups[rows]
        )

    @property
    def rate(self) -> float:
        """Weighted share of positives."""
        return float(np.average(self.labels, weights=self.weights))


@dataclass(frozen=True)
class Features:
    """Names of a matrix's columns, and XGBoost's types: `q` a quantity, `c` a category's code."""

    names: Sequence[str]
    types: Sequence[str]


def both_classes(examples: Examples) -> bool:
    """Whether there are positives and negatives."""
    return bool(examples.labels.any() and not examples.labels.all())


def check(target: str, training: Examples, validation: Examples) -> None:
    """
    Raises:
        CannotLearn: training or validation rows hold one class only.
    """
    for name, examples in (("training", training), ("validation", validation)):
        if not both_classes(examples):
            raise CannotLearn(
                f"{target}: the {len(examples)} {name} rows are not of both classes "
                f"({int(examples.labels.sum())} of them positive): more history is needed"
            )
