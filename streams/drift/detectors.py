"""Have shoppers changed, and do our predictions still hold? Online statistics that feed metrics and reasons, no score.

They work on what was counted between two looks at the online store (`Increments`), so they read no event. Three rates
of each category go through ADWIN (Bifet & Gavalda 2007, "Learning from time-changing data with adaptive windowing"):
clicks per impression, purchases per click, and the live calibration, i.e. clicks on adopted keywords per click that
their last published P(click) foresaw.

P(click) is that of the first place of a page, and the impressions counted are those of all places, so a calibration
lies below 1 where every prediction is right. What says something is a change of it: P(click) no longer goes with the
clicks as it used to, or adopted keywords are shown on other places than before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from feature_repo.vectors import METRICS, windows
from infra.settings import HOUR_MS

Rate = Literal["ctr", "conversion", "calibration"]

_MOST_TRIALS = 500
"""Of one look. It bounds the cost: a busy category gives a sample of its impressions."""
_TRIALS = {"ctr": 1.0, "conversion": 1.0, "calibration": 4.0}
"""For one of exposure. ADWIN takes trials that succeed or don't; a click foreseen is taken for four of them, so that up
to four times as many clicks as foreseen can be told apart."""
_LOOKS_KEPT = 360
"""Among which the beginning of a change is sought: an hour of looks, at the usual interval."""
_EVIDENCE = float(np.log(1_000))
"""The looks must be so much likelier (in logs) with the change than without."""
_LASTS_MS = 6 * HOUR_MS
"""By then a change is how things are."""
_TINY = 1e-9
_LEAST_FORESEEN = 20.0
"""When fewer clicks were foreseen, a calibration says more about chance than about the model."""


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
    """Of all that was counted since."""
    since_ms: int
    """The moment that divides the looks best into those before and after."""

    @property
    def ratio(self) -> float:
        """After over before; infinite when there was nothing before."""
        return self.after / self.before if self.before else float("inf")


class DriftDetector:
    """Watches the rates of all categories. Deterministic: the same looks give the same drifts."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, Rate], _RateDetector] = {}

    def observe(self, category: str, rate: Rate, exposure: float, successes: float, at_ms: int) -> Drift | None:
        """Take what a look at `at_ms`, later than the looks before, found new; the drift if it shows that one began.

        Args:
            exposure: impressions, clicks or clicks foreseen, by `rate`.
            successes: clicks or purchases.
        """
        if exposure <= 0:
            return None
        detector = self._rates.setdefault((category, rate), _RateDetector(_TRIALS[rate]))
        change = detector.observe(exposure, successes, at_ms)
        return Drift(category, rate, *change) if change else None

    def under_way(self, now_ms: int) -> list[Drift]:
        """The last drift of each rate, if it isn't too long ago, as what was counted since then shows it."""
        return [
            Drift(category, rate, *change)
            for (category, rate), detector in self._rates.items()
            if (change := detector.change) and now_ms - change.since_ms <= _LASTS_MS
        ]

    def ratios(self, now_ms: int) -> dict[tuple[str, Rate], float]:
        """By category and rate, what `under_way` shows; 1 for a rate that hasn't drifted."""
        drifts = {(drift.category, drift.rate): drift.ratio for drift in self.under_way(now_ms)}
        return dict.fromkeys(self._rates, 1.0) | drifts

    def calibrations(self) -> dict[str, float]:
        """Clicks over clicks foreseen in the last looks, for categories of which enough is known."""
        return {
            category: clicks / foreseen
            for (category, rate), detector in self._rates.items()
            if rate == "calibration"
            for foreseen, clicks in [detector.last_looks()]
            if foreseen >= _LEAST_FORESEEN
        }


class _Change(NamedTuple):
    before: float
    after: float
    since_ms: int


class _RateDetector:
    """ADWIN says that a rate has changed; since when, and from what to what, the looks kept say."""

    def __init__(self, trials: float) -> None:
        """`trials` stand for one of exposure."""
        self._adwin = ADWIN()
        self._trials = trials
        self._untried = np.zeros(2)
        """Trials and successes too few to be tried."""
        self._due = 0.5
        self._looks: deque[tuple[int, float, float]] = deque(maxlen=_LOOKS_KEPT)
        self._counted = np.zeros(2)
        """Exposure and successes since the last change."""
        self._before: tuple[float, int] | None = None

    @property
    def change(self) -> _Change | None:
        """The last one."""
        if self._before is None:
            return None
        before, since_ms = self._before
        return _Change(before, float(self._counted[1] / self._counted[0]), since_ms)

    def observe(self, exposure: float, successes: float, at_ms: int) -> _Change | None:
        """The change, when this look shows that the rate has changed."""
        self._looks.append((at_ms, exposure, successes))
        self._counted += exposure, successes
        changed = self._try(exposure * self._trials, successes)
        return self.change if changed and self._divide() else None

    def last_looks(self) -> tuple[float, float]:
        """Exposure and successes of the looks kept."""
        return sum(look[1] for look in self._looks), sum(look[2] for look in self._looks)

    def _try(self, trials: float, successes: float) -> bool:
        """Whether ADWIN notices a change. Successes are spread evenly over the trials."""
        self._untried += trials, successes
        share = min(self._untried[1] / self._untried[0], 1.0)
        whole = int(self._untried[0])
        self._untried *= (self._untried[0] - whole) / self._untried[0]
        changed = False
        for _ in range(min(whole, _MOST_TRIALS)):
            self._due += share
            success = self._due >= 1.0
            self._due -= success
            self._adwin.update(int(success))
            changed = changed or self._adwin.drift_detected
        return changed

    def _divide(self) -> bool:
        """Find when the change began, as the looks (counts: Poisson) are likeliest; False if they show hardly any."""
        at_ms, exposure, successes = np.array(self._looks).T
        older = self._counted - (exposure.sum(), successes.sum())
        before = older[:, None] + np.cumsum([exposure, successes], axis=1)[:, :-1]
        after = self._counted[:, None] - before
        evidence = _likelihood(before) + _likelihood(after) - _likelihood(self._counted)
        best = int(np.argmax(evidence)) if len(evidence) else 0
        if not len(evidence) or evidence[best] < _EVIDENCE:
            return False
        self._before = float(before[1, best] / before[0, best]), int(at_ms[best])
        self._counted = after[:, best]
        self._looks = deque(list(self._looks)[best + 1 :], maxlen=_LOOKS_KEPT)
        return True


def _likelihood(counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood of successes at their own rate, without what doesn't depend on the rate."""
    exposure, successes = counted
    return np.asarray(successes * np.log(np.maximum(successes, _TINY) / exposure))
