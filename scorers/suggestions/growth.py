"""How much a count has grown, so that a few events more are no growth."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", float, NDArray[np.float64])


def growth(seen: _Number, foreseen: _Number, smoothing: float) -> _Number:
    """Ratio of the events seen to those foreseen in the same time, `smoothing` events added to both sides.

    It is the mean of a Gamma-Poisson posterior (empirical Bayes shrinkage towards 1).
    """
    return (seen + smoothing) / (foreseen + smoothing)
