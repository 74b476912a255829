"""How likely a shopper looks at each place of a page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.simulator.catalogue import Floats

DECAY = 0.7
"""Exponent of the power law; docs/simulator.md cites where it comes from."""


def examination(position: NDArray[np.int64]) -> Floats:
    """P(a result at `position` is looked at), relative to position 1, the reference of all click probabilities."""
    return np.asarray(position.astype(np.float64) ** -DECAY)
