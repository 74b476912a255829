"""When has an entity moved enough to say so? A signal is a material movement, not an event.

A sum has moved when, against what was last told, it changed by at least `signal_min_count` events *and* by at least
`signal_min_relative_change`. A click weighs as two events and a purchase as eight, since they are rarer and say more.
Impressions, units and revenue follow from the others and trigger nothing by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import METRICS

_WEIGHTS = {"searches": 1, "clicks": 2, "purchases": 8}
_METRICS = np.array([METRICS.index(metric) for metric in _WEIGHTS])
_WEIGHT = np.array(list(_WEIGHTS.values()), np.float64)


@dataclass(frozen=True)
class Movements:
    """Which rows moved, and of each the window and metric that moved most."""

    rows: NDArray[np.int64]
    windows: NDArray[np.int64]
    metrics: NDArray[np.int64]
    """Index into METRICS."""


def movements(told: NDArray[np.int64], now: NDArray[np.int64], min_count: int, min_relative_change: float) -> Movements:
    """Compare sums (n x windows x metrics) with what was last told of the same entities."""
    before, after = told[:, :, _METRICS].astype(np.float64), now[:, :, _METRICS].astype(np.float64)
    change = np.abs(after - before)
    share = change / np.maximum(before, 1.0)
    moved = (change * _WEIGHT >= min_count) & (share >= min_relative_change)
    most = np.where(moved, share, 0.0).reshape(len(told), told.shape[1] * len(_METRICS)).argmax(axis=1)
    rows = np.flatnonzero(moved.any(axis=(1, 2)))
    windows, metrics = np.divmod(most[rows], len(_METRICS))
    return Movements(rows, windows, _METRICS[metrics])
