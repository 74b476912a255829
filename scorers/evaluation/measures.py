"""How good an order of keywords is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DEPTH = 10


def ndcg(gains: Sequence[float], possible: Sequence[float], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain of the first `depth` places, with the gains themselves as gains.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002.

    Args:
        gains: in the order to be judged, best place first.
        possible: every gain that could have been had, found or not, in any order; their best order makes 1.
    """
    ideal = _discounted(sorted(possible, reverse=True)[:depth])
    return _discounted(gains[:depth]) / ideal if ideal > 0 else 0.0


def reciprocal_rank(relevant: Sequence[bool]) -> float:
    """1 / place of the first relevant one; 0 without one."""
    return next((1.0 / place for place, one in enumerate(relevant, start=1) if one), 0.0)


def _discounted(gains: Sequence[float]) -> float:
    places = np.arange(len(gains)) + 2
    return float(np.sum(np.asarray(gains, np.float64) / np.log2(places)))
