"""How good an order of keywords is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.canonical import form_words

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


def recall(found: Collection[str], relevant: Collection[str]) -> float:
    """Share of `relevant` (not empty) that was found."""
    return len(set(found) & set(relevant)) / len(relevant)


def precision(found: Sequence[str], relevant: Collection[str], depth: int = DEPTH) -> float:
    """Distinct relevant ones among the first `depth` places, as a share of the places."""
    return len(set(found[:depth]) & set(relevant)) / depth


def diversity(canonicals: Sequence[str]) -> float:
    """1 - mean overlap of words (Jaccard) over all pairs: 0 when all say the same, 1 when no two share a word."""
    sets = [set(form_words(canonical)) for canonical in canonicals]
    pairs = [len(a & b) / len(a | b) for at, a in enumerate(sets) for b in sets[at + 1 :]]
    return 1.0 - float(np.mean(pairs)) if pairs else 1.0


def novelty(shares: NDArray[np.float64]) -> float:
    """Mean self-information of keywords, in bits, from their shares of all searches: rare ones are news.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 107(10), 2010.
    """
    return float(np.mean(-np.log2(np.maximum(shares, 1e-9)))) if len(shares) else 0.0


def _discounted(gains: Sequence[float]) -> float:
    places = np.arange(len(gains)) + 2
    return float(np.sum(np.asarray(gains, np.float64) / np.log2(places)))
