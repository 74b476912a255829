"""Have shoppers changed, and do our predictions still hold? Online statistics that feed metrics and reasons, no score.

Both work on what was counted between two looks at the online store (`Increments`), so they read no event: a category's
CTR and conversion go through ADWIN (Bifet & Gavalda 2007, "Learning from time-changing data with adaptive windowing"),
and live clicks on adopted keywords are held against the clicks that were predicted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN
from river.stats import EWMean

from feature_repo.vectors import METRICS, windows

Rate = Literal["ctr", "conversion"]

_MOST_TRIALS = 2_000
"""Of one look. It bounds the cost: a busy category gives a sample of its impressions."""
_FADING = 0.05
"""Weight of the newest look in the calibration's means: what is some 40 looks old hardly counts."""
_LEAST_EXPECTED_CLICKS = 20.0
"""Before so many clicks were expected, a calibration says more about chance than about the model."""


class Counted(NamedTuple):
    """What was counted, all told or since the last look."""

    impressions: float
    clicks: float
    purchases: float


class Increments:
    """Turns sums over the longest window, looked at now and then, into what came in between.

    Sums of one window and tile only grow as time goes on. When a tile has left the window since the last look, or a
    sum has shrunk (a correction, counts that were rebuilt), the look says nothing and the next one starts from it.
    """

    def __init__(self, window_names: tuple[str, ...]) -> None:
        self._window = windows(window_names)[-1]
        first = (len(window_names) - 1) * len(METRICS)
        self._columns = [first + METRICS.index(metric) for metric in ("impressions", "clicks", "purchases")]
        self._last: dict[str, tuple[int, NDArray[np.float64]]] = {}

    def observe(self, keys: Iterable[str], sums: NDArray[np.float64], as_of: NDArray[np.int64]) -> dict[str, Counted]:
        """What came in since the last look at each of n entities, where that can be told and isn't nothing.

        Args:
            keys: n.
            sums: n x V, as in the online store.
            as_of: n, ms; 0 for an unknown entity.
        """
        found = {}
        for key, now, moment in zip(keys, sums[:, self._columns], as_of, strict=True):
            if not moment:
                continue
            tile = self._window.tile(int(moment))
            last_tile, last = self._last.get(key, (None, now))
            self._last[key] = tile, now
            gained = now - last
            if tile == last_tile and gained.any() and (gained >= 0).all():
                found[key] = Counted(*gained.tolist())
        return found


@dataclass(frozen=True)
class Drift:
    """A category's rate has changed."""

    category: str
    rate: Rate
    before: float
    after: float


class DriftDetector:
    """One ADWIN for each category and rate, fed one trial an impression (or click). Deterministic."""

    def __init__(self) -> None:
        self._detectors: dict[tuple[str, Rate], _RateDetector] = defaultdict(_RateDetector)

    def observe(self, category: str, counted: Counted) -> list[Drift]:
        """Take what a category gained; the rates that have changed by it."""
        watched: list[tuple[Rate, float, float]] = [
            ("ctr", counted.impressions, counted.clicks),
            ("conversion", counted.clicks, counted.purchases),
        ]
        drifts = []
        for rate, trials, successes in watched:
            if trials and (change := self._detectors[category, rate].observe(trials, successes)):
                drifts.append(Drift(category, rate, *change))
        return drifts


class _RateDetector:
    def __init__(self) -> None:
        self._adwin = ADWIN()
        self._due = 0.5

    def observe(self, trials: float, successes: float) -> tuple[float, float] | None:
        """The rate before and after, when it has changed.

        Successes are spread evenly over the trials, and what is left of one goes over to the next look.
        """
        share = min(successes / trials, 1.0)
        before, changed = self._adwin.estimation, False
        for _ in range(int(min(trials, _MOST_TRIALS))):
            self._due += share
            success = self._due >= 1.0
            self._due -= success
            self._adwin.update(int(success))
            changed = changed or self._adwin.drift_detected
        return (before, self._adwin.estimation) if changed else None


class Calibration:
    """Live clicks over predicted clicks, a category at a time; 1 is as predicted."""

    def __init__(self) -> None:
        self._clicks: dict[str, EWMean] = defaultdict(lambda: EWMean(_FADING))
        self._expected: dict[str, EWMean] = defaultdict(lambda: EWMean(_FADING))
        self._expected_in_all: dict[str, float] = defaultdict(float)

    def observe(self, counted: Mapping[str, Counted], predicted: Mapping[str, tuple[str, float]]) -> None:
        """Take what pairs gained, of which `predicted` has category and P(click)."""
        clicks: dict[str, float] = defaultdict(float)
        expected: dict[str, float] = defaultdict(float)
        for pair, gained in counted.items():
            category, p_click = predicted[pair]
            clicks[category] += gained.clicks
            expected[category] += gained.impressions * p_click
        for category, sum_expected in expected.items():
            self._clicks[category].update(clicks[category])
            self._expected[category].update(sum_expected)
            self._expected_in_all[category] += sum_expected

    def ratios(self) -> dict[str, float]:
        """By category, for those of which enough is known."""
        return {
            category: self._clicks[category].get() / expected.get()
            for category, expected in self._expected.items()
            if self._expected_in_all[category] >= _LEAST_EXPECTED_CLICKS and expected.get() > 0
        }
