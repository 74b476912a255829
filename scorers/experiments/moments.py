"""Sufficient statistics of an arm: how many units, the means of their sums, and the covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of K columns over the units of an arm; leading axes, if any, are replicates.

    `count` has shape (...), `mean` (..., K), `covariance` (..., K, K) with divisor count - 1.
    """

    columns: tuple[str, ...]
    count: Floats
    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, columns: Sequence[str], values: Floats) -> Moments:
        """Moments of `values`, shape (..., units, K)."""
        count = values.shape[-2]
        mean = values.mean(axis=-2)
        centred = values - mean[..., None, :]
        covariance = np.swapaxes(centred, -1, -2) @ centred / (count - 1)
        return cls(tuple(columns), np.full(values.shape[:-2], float(count)), mean, covariance)

    def index(self, column: str) -> int:
        return self.columns.index(column)

    def __add__(self, other: Moments) -> Moments:
        """Moments of both arms' units together."""
        count = self.count + other.count
        apart = other.mean - self.mean
        weight = self.count * other.count / count
        scatter = (
            (self.count - 1)[..., None, None] * self.covariance
            + (other.count - 1)[..., None, None] * other.covariance
            + weight[..., None, None] * apart[..., :, None] * apart[..., None, :]
        )
        mean = self.mean + (other.count / count)[..., None] * apart
        return Moments(self.columns, count, mean, scatter / (count - 1)[..., None, None])

    def aggregates(self, replicate: tuple[int, ...] = ()) -> Any:
        """The same as tea-tasting's `Aggregates`, of one replicate."""
        from tea_tasting.aggr import Aggregates

        mean, covariance = self.mean[replicate], self.covariance[replicate]
        pairs = [(a, b) for a in range(len(self.columns)) for b in range(a, len(self.columns))]
        return Aggregates(
            count_=int(self.count[replicate]),
            mean_={name: float(mean[k]) for k, name in enumerate(self.columns)},
            var_={name: float(covariance[k, k]) for k, name in enumerate(self.columns)},
            cov_={(self.columns[a], self.columns[b]): float(covariance[a, b]) for a, b in pairs},
        )
