"""Which keywords are suddenly searched more? Told within seconds, where a window of minutes would have to fill first.

A cumulative sum of log-likelihood ratios (CUSUM: Page, "Continuous inspection schemes", Biometrika 1954; for counts:
Lucas, "Counted data CUSUM's", Technometrics 1985) asks whether a keyword takes `factor` times its usual share of all
searches. The share, and not a rate, is compared: neither the time of day nor catching up after an outage is a surge.
No feature and no score depends on this, so it is no part of a checkpoint: after a restart it starts afresh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SURGE_AGAIN_MS = 5_000
"""A surge that goes on is told again so often."""

_NEWCOMER = 5.0
"""Searches that every keyword is given on top: of one that is hardly ever searched, a few are no surge."""

_LASTING = 2.0
"""Evidence is kept up to so many times what a surge needs: enough not to flicker, and soon gone when it is over."""


@dataclass(frozen=True)
class Surge:
    """A keyword's searches since its share began to grow."""

    seen: int
    expected: float
    """At its usual share."""
    seconds: int


class SurgeDetector:
    """One number per slot (an entity's number): how much likelier a surge explains its searches than chance does."""

    def __init__(self, factor: float, odds: float) -> None:
        """It is a surge when `factor` times the usual share is `odds` times as likely as the usual share."""
        self._factor = factor
        self._threshold = math.log(odds)
        self._searches = 0
        self._searches_when: Ints = np.zeros(0, np.int64)
        self._evidence: Floats = np.zeros(0)
        # What the evidence speaks of: searches, those expected, and since when (ms).
        self._seen: Ints = np.zeros(0, np.int64)
        self._expected: Floats = np.zeros(0)
        self._since: Ints = np.zeros(0, np.int64)

    def grow(self, slots: int) -> None:
        """Make room for `slots` slots."""
        missing = slots - len(self._evidence)
        if missing > 0:
            self._searches_when = np.concatenate([self._searches_when, np.full(missing, self._searches)])
            self._evidence = np.concatenate([self._evidence, np.zeros(missing)])
            self._seen = np.concatenate([self._seen, np.zeros(missing, np.int64)])
            self._expected = np.concatenate([self._expected, np.zeros(missing)])
            self._since = np.concatenate([self._since, np.zeros(missing, np.int64)])

    def add(self, slots: Ints, searches: Ints, usual: Ints, usual_of_all: int, now_ms: int) -> None:
        """Take note of n keywords' new `searches`.

        Args:
            slots: n, each once.
            searches: n.
            usual: n, searches of each in the window that says what is usual.
            usual_of_all: searches of all keywords in that window.
        """
        share = np.minimum((usual + _NEWCOMER) / (usual_of_all + _NEWCOMER), 1.0)
        meanwhile = share * (self._searches - self._searches_when[slots])
        evidence = np.maximum(self._evidence[slots] - (self._factor - 1) * meanwhile, 0.0)
        begins = evidence == 0
        self._since[slots] = np.where(begins, now_ms, self._since[slots])
        self._seen[slots] = np.where(begins, 0, self._seen[slots]) + searches
        expected = share * searches.sum()
        self._expected[slots] = np.where(begins, 0.0, self._expected[slots] + meanwhile) + expected
        evidence += searches * math.log(self._factor) - (self._factor - 1) * expected
        self._evidence[slots] = np.clip(evidence, 0.0, _LASTING * self._threshold)
        self._searches += int(searches.sum())
        self._searches_when[slots] = self._searches

    def surging(self, slots: Ints) -> NDArray[np.bool_]:
        """Which of the slots surge."""
        return np.asarray(self._evidence[slots] >= self._threshold, dtype=np.bool_)

    def surge(self, slot: int, now_ms: int) -> Surge:
        """What there is to say of a slot that surges."""
        seconds = max(1, math.ceil((now_ms - int(self._since[slot])) / 1_000))
        return Surge(int(self._seen[slot]), float(self._expected[slot]), seconds)
