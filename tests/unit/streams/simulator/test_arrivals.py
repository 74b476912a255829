"""In which order events reach the log."""

from __future__ import annotations

import numpy as np
import pytest

from streams.simulator.arrivals import DUPLICATE_SHARE, LATE_SHARE, Arrivals

HORIZON_MS = 600_000


def arrive(rng: np.random.Generator, count: int) -> tuple[Arrivals, np.ndarray, np.ndarray]:
    arrivals = Arrivals(rng, HORIZON_MS)
    pieces = []
    for begins in range(0, count, 1_000):
        time = np.arange(begins, begins + 1_000) * 100
        arrivals.add({"event_time": time, "number": np.arange(begins, begins + 1_000)})
        pieces.append(arrivals.until(int(time[-1])))
    pieces.append(arrivals.until(None))
    time = np.concatenate([piece["event_time"] for piece in pieces])
    return arrivals, time, np.concatenate([piece["number"] for piece in pieces])


def test_nothing_is_lost_and_one_in_a_hundred_comes_twice(rng: np.random.Generator) -> None:
    arrivals, _, number = arrive(rng, 50_000)
    times_seen = np.bincount(number)
    assert times_seen.min() == 1
    assert times_seen.max() == 2
    assert arrivals.counts["duplicate"] == (times_seen == 2).sum()
    assert abs((times_seen == 2).mean() - DUPLICATE_SHARE) < 0.003


def test_lateness_stays_within_the_horizon_but_for_a_very_few(rng: np.random.Generator) -> None:
    arrivals, time, number = arrive(rng, 100_000)
    behind = np.maximum.accumulate(time) - time
    too_late = np.unique(number[behind > HORIZON_MS])
    assert 0 < len(too_late) <= arrivals.counts["too_late"] < 100
    assert (behind > 1_000).mean() > 0.5 * LATE_SHARE
    assert abs(arrivals.counts["late"] / 100_000 - LATE_SHARE) < 0.005


def test_asking_before_anything_came_is_an_error(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="nothing was ever added"):
        Arrivals(rng, HORIZON_MS).until(None)
