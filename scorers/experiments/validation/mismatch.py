"""Sample-ratio mismatch: a planted one is found, none is hardly ever."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from scorers.experiments.validation.lines import Line, count
from scorers.experiments.watching import ALARM_LEVEL

UNITS = 100_000


def mismatch(rng: np.random.Generator, replicates: int) -> Iterator[Line]:
    """51:49 at 100,000 units, and 50:50, by the test of `watching.sample_ratio`."""
    planted = _alarms(rng, 0.51, replicates)
    yield Line(f"mismatch of 51:49 found at {UNITS:,} units", "above", 0.99, planted, replicates)
    none = _alarms(rng, 0.5, replicates)
    yield Line("mismatch alarms when there is none", "equal", ALARM_LEVEL, none, replicates)


def _alarms(rng: np.random.Generator, share: float, replicates: int) -> int:
    first = rng.binomial(UNITS, share, replicates)
    counts = np.stack([first, UNITS - first])
    p_values = stats.chisquare(counts, np.full_like(counts, UNITS / 2, dtype=np.float64)).pvalue
    return count(p_values < ALARM_LEVEL)
