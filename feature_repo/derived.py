"""Rates, trends and recency of an entity, derived from its sums and its category's. Pure; applied when read.

The one definition behind the matrix read, Feast's on-demand views and the training join, so that all three agree.

Rates are smoothed towards the category's by empirical Bayes. Counts k out of n with a Gamma prior of mean p (the
category's rate) and weight m (as many trials as the prior is worth) have the posterior mean (k + m p) / (n + m): with
nothing seen it is the category's rate, with much seen the entity's own. See G. Casella, "An Introduction to Empirical
Bayes Data Analysis", The American Statistician 39(2), 1985; for click rates X. Wang et al., "Click-Through Rate
Estimation for Rare Events in Online Advertising", in Online Multimedia Advertising, IGI Global, 2011. The Gamma rather
than the Beta form, because a window can hold a click whose impression has left it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import METRICS, windows
from infra.settings import Settings

Matrix = NDArray[np.float64]

TREND_METRICS = ("searches", "impressions", "clicks", "purchases")
"""Metrics that have a trend and a recency. Units and revenue move with purchases."""


@dataclass(frozen=True)
class Rate:
    """A smoothed rate: `count` per `trial`; `weight` names the setting that says what the prior is worth, in trials."""

    name: str
    count: str
    trial: str
    weight: str


RATES = (
    Rate("ctr", "clicks", "impressions", "smoothing_impressions"),
    Rate("conversion", "purchases", "clicks", "smoothing_clicks"),
    Rate("purchases_per_search", "purchases", "searches", "smoothing_searches"),
)


def derived_names(window_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns that `derive` gives, in order."""
    rates = [f"{rate.name}_{window}" for rate in RATES for window in window_names]
    logs = [f"log_{metric}_{window}" for window in window_names for metric in METRICS]
    trends = [f"{metric}_trend_{short}_{long}" for short, long in pairwise(window_names) for metric in TREND_METRICS]
    return (*rates, *logs, *trends, *(f"{metric}_recency" for metric in TREND_METRICS))


def derive(sums: Matrix, category_sums: Matrix, window_names: tuple[str, ...], settings: Settings) -> Matrix:
    """Derived features of n entities: n x len(derived_names(window_names)).

    Args:
        sums: n x V, as in the online store; never negative.
        category_sums: n x V, row r those of the category that entity r is measured against (zeros: unknown).
        window_names: the windows of both, shortest first.
        settings: gives the smoothing weights.

    Columns: rates per window, towards the category's rate in the longest window (0 for a category without a trial);
    log(1 + sum); trends, see `_trends`; recency, see `_recency`.
    """
    shape = len(sums), len(window_names), len(METRICS)
    counts, of_category = sums.reshape(shape), category_sums.reshape(shape)
    rates = [_smoothed(rate, counts, of_category, settings) for rate in RATES]
    trended = counts[:, :, [METRICS.index(metric) for metric in TREND_METRICS]]
    return np.hstack([*rates, np.log1p(sums), _trends(trended, window_names), _recency(trended)])


def _smoothed(rate: Rate, counts: Matrix, of_category: Matrix, settings: Settings) -> Matrix:
    """n x windows."""
    count, trial = METRICS.index(rate.count), METRICS.index(rate.trial)
    weight: float = getattr(settings, rate.weight)
    longest = of_category[:, -1, :]
    prior = np.divide(longest[:, count], longest[:, trial], out=np.zeros(len(counts)), where=longest[:, trial] > 0)
    smoothed: Matrix = (counts[:, :, count] + weight * prior[:, np.newaxis]) / (counts[:, :, trial] + weight)
    return smoothed


def _trends(counts: Matrix, window_names: tuple[str, ...]) -> Matrix:
    """log((1 + seen) / (1 + expected)) per pair of neighbouring windows: seen in the shorter, expected from the longer.

    0 is steady, log 8 is eight times as many as the longer window makes expect. The 1 keeps a single event from
    looking like a surge.
    """
    lengths = [window.length_ms for window in windows(window_names)]
    trends = [
        np.log1p(counts[:, short]) - np.log1p(counts[:, short + 1] * (lengths[short] / lengths[short + 1]))
        for short in range(len(lengths) - 1)
    ]
    return np.hstack([np.zeros((len(counts), 0)), *trends])


def _recency(counts: Matrix) -> Matrix:
    """n x metrics: number of the shortest window in which anything was counted (0 the shortest); W when in none."""
    seen = counts > 0
    shortest: Matrix = np.where(seen.any(axis=1), seen.argmax(axis=1), counts.shape[1]).astype(np.float64)
    return shortest
