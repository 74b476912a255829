"""What is measured of retrieved lists, each with a bootstrap interval. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RESAMPLES = 1_000


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Floats, groups: Sequence[str], seed: int = 7) -> Estimate:
    """Mean of `values`, its interval by a bootstrap that draws whole groups: values of one group depend on each other.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    sums, sizes = np.bincount(group_of, values), np.bincount(group_of)
    drawn = np.random.default_rng(seed).integers(len(names), size=(_RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def recall(found: Sequence[str], relevant: Collection[str], depth: int) -> float:
    """Share of `relevant` (not empty) among the first `depth` of `found`."""
    return len(set(found[:depth]) & set(relevant)) / len(relevant)


def reciprocal_rank(found: Sequence[str], relevant: Collection[str]) -> float:
    """1 / place of the first relevant one; 0 without one."""
    return next((1.0 / place for place, one in enumerate(found, start=1) if one in relevant), 0.0)
