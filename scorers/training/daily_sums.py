"""Vectors as of the start of a day, from counts by day: what a worker's windows of a day and longer would have held.

A day's counts are those of its impressions, and of what was clicked and bought after them. Purchases come later than
their impression, by up to the attribution window: those of a day are complete so many days after it, and their windows
end that much earlier. No sum holds anything that happened on the row's own day.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_repo.vectors import METRICS
from infra.settings import DAY_MS, WINDOW_LENGTHS_MS, Settings
from scorers.ranking.features import Sums, ranker_windows
from scorers.training.examples import CannotLearn

Floats = NDArray[np.float64]
SHOWN = ("impressions", "clicks", "purchases", "units", "revenue")
_SEARCHED_KINDS = ("keyword", "category")
_KEYS = {
    "item": ["item"],
    "keyword": ["canonical"],
    "pair": ["item", "canonical"],
    "campaign": ["campaign"],
    "category": ["category"],
}


def daily_windows(settings: Settings) -> tuple[str, ...]:
    """Of the settings' windows those that daily counts can fill, shortest first.

    Raises:
        CannotLearn: none is a day long.
    """
    used = ranker_windows(settings.windows)
    if WINDOW_LENGTHS_MS[used[0]] < DAY_MS:
        raise CannotLearn(
            f"setting windows: {','.join(settings.windows)}: daily tables need a window of a day or longer, 24h or 7d"
        )
    return used


def days_until_complete(settings: Settings) -> int:
    """So many days after a day its impressions' purchases are complete."""
    return math.ceil(settings.attribution_window_ms / DAY_MS)


def daily_sums(rows: pl.DataFrame, shown: pl.DataFrame, searched: pl.DataFrame, settings: Settings) -> Sums:
    """The vectors of n rows, of `daily_windows`, as of the start of each row's `day`.

    Args:
        rows: day, item, canonical, campaign (null for none), category.
        shown: those columns and `SHOWN`; revenue in minor units.
        searched: day, canonical, category, searches.
        settings: give windows and attribution window.
    """
    used, late = daily_windows(settings), days_until_complete(settings)
    vectors = {}
    for kind, key in _KEYS.items():
        asked = rows.select("day", *key)
        counted = shown.select("day", *key, *SHOWN)
        by_metric = {metric: np.zeros((len(rows), len(used))) for metric in METRICS}
        parts: list[tuple[pl.DataFrame, tuple[str, ...], int]] = [(counted, SHOWN[:2], 0), (counted, SHOWN[2:], late)]
        if kind in _SEARCHED_KINDS:
            parts.append((searched.select("day", *key, "searches"), ("searches",), 0))
        for counts, metrics, delay in parts:
            running = _running(counts, key, metrics)
            for at, window in enumerate(used):
                days = WINDOW_LENGTHS_MS[window] // DAY_MS
                held = _up_to(running, asked, key, metrics, 1 + delay) - _up_to(
                    running, asked, key, metrics, 1 + delay + days
                )
                for column, metric in enumerate(metrics):
                    by_metric[metric][:, at] = held[:, column]
        # Windows outermost, as in the store.
        vectors[kind] = np.stack([by_metric[metric] for metric in METRICS], axis=2).reshape(len(rows), -1)
    return Sums(**vectors)


def _running(counts: pl.DataFrame, key: list[str], metrics: tuple[str, ...]) -> pl.DataFrame:
    """For each entity and day with a count the sums up to and with that day, by day."""
    by_day = counts.drop_nulls(key).group_by(*key, "day").agg(pl.col(metrics).sum().cast(pl.Float64)).sort("day")
    return by_day.with_columns(pl.col(metrics).cum_sum().over(key))


def _up_to(
    running: pl.DataFrame, asked: pl.DataFrame, key: list[str], metrics: tuple[str, ...], days_before: int
) -> Floats:
    """Sums up to and with the day so many days before each row's: n x metrics; 0 for an entity without a count."""
    moved = asked.with_columns(pl.col("day").dt.offset_by(f"-{days_before}d")).with_row_index("row").sort("day")
    joined = moved.join_asof(running, on="day", by=key, strategy="backward", check_sortedness=False).sort("row")
    return joined.select(pl.col(metrics).fill_null(0.0)).to_numpy()
