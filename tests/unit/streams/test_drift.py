"""Drift is found where and when a rate changed and nowhere else; a calibration is held against its own usual level."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo.vectors import sum_names
from infra.settings import HOUR_MS
from streams.drift.detectors import Counted, Drift, DriftDetector, Increments

WINDOWS = ("10m", "1h", "24h", "7d")
NAMES = sum_names(WINDOWS)
LOOK_MS = 10_000
T = 1_760_000_000_000 // (6 * HOUR_MS) * (6 * HOUR_MS)  # where a tile of the longest window begins


def look(subject: Increments, as_of: int, **sums: tuple[int, int, int]) -> dict[str, Counted]:
    """Show the sums (impressions, clicks, purchases over 7 days) of some entities; other windows hold other numbers."""
    vectors = np.full((len(sums), len(NAMES)), 7.0)
    for row, counts in enumerate(sums.values()):
        for metric, count in zip(("impressions", "clicks", "purchases"), counts, strict=True):
            vectors[row, NAMES.index(f"{metric}_7d")] = count
    return subject.observe(sums, vectors, np.full(len(sums), as_of))


def test_increments_are_what_came_in_between_two_looks() -> None:
    subject = Increments(WINDOWS)
    assert look(subject, T, a=(10, 1, 0), b=(5, 0, 0)) == {}, "the first look has nothing to compare with"
    assert look(subject, T + 1, a=(30, 4, 1), b=(5, 0, 0)) == {"a": Counted(20, 3, 1)}
    assert look(subject, T + 2, a=(31, 4, 1), b=(6, 0, 0)) == {"a": Counted(1, 0, 0), "b": Counted(1, 0, 0)}


def test_a_look_after_which_sums_can_not_be_compared_says_nothing() -> None:
    subject = Increments(WINDOWS)
    look(subject, T, a=(10, 1, 0))
    assert look(subject, T + 6 * HOUR_MS, a=(30, 4, 1)) == {}, "a tile has left the window"
    assert look(subject, T + 6 * HOUR_MS + 1, a=(31, 4, 1)) == {"a": Counted(1, 0, 0)}
    assert look(subject, T + 6 * HOUR_MS + 2, a=(3, 1, 0)) == {}, "counted anew"
    assert look(subject, 0, a=(0, 0, 0)) == {}, "not in the store"
    assert look(subject, T + 6 * HOUR_MS + 3, a=(4, 1, 0)) == {"a": Counted(1, 0, 0)}


def run(
    detector: DriftDetector, category: str, seed: int, looks: range, ctr: float, conversion: float = 0.1
) -> list[Drift]:
    random = np.random.default_rng(seed)
    drifts = []
    for look in looks:
        clicks = random.binomial(500, ctr)
        at_ms = look * LOOK_MS
        drifts += [
            detector.observe(category, "ctr", 500, clicks, at_ms),
            detector.observe(category, "conversion", clicks, random.binomial(clicks, conversion), at_ms),
        ]
    return [drift for drift in drifts if drift]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ctr", [0.025, 0.1])
def test_a_changed_rate_is_found_soon_and_told_with_its_size_and_beginning(seed: int, ctr: float) -> None:
    detector = DriftDetector()
    assert run(detector, "shoes", seed, range(100), ctr=0.05) == []
    [drift] = run(detector, "shoes", seed + 100, range(100, 120), ctr=ctr)
    assert (drift.category, drift.rate) == ("shoes", "ctr")
    assert drift.before == pytest.approx(0.05, abs=0.003)
    assert abs(drift.after - ctr) < abs(drift.after - drift.before), "nearer to what it is than to what it was"
    assert drift.since_ms == pytest.approx(99 * LOOK_MS, abs=10 * LOOK_MS)


def test_a_drift_is_shown_ever_more_surely_until_it_is_how_things_are() -> None:
    detector = DriftDetector()
    run(detector, "shoes", 1, range(100), ctr=0.05)
    [found] = run(detector, "shoes", 2, range(100, 300), ctr=0.04)
    [drift] = detector.under_way(300 * LOOK_MS)
    assert drift.since_ms == found.since_ms
    assert drift.after == pytest.approx(0.04, rel=0.05)
    assert detector.ratios(300 * LOOK_MS) == {
        ("shoes", "ctr"): pytest.approx(0.8, rel=0.05),
        ("shoes", "conversion"): 1.0,
    }
    late = found.since_ms + 6 * HOUR_MS + 1
    assert detector.under_way(late) == []
    assert set(detector.ratios(late).values()) == {1.0}


def test_what_comes_back_is_another_drift() -> None:
    detector = DriftDetector()
    run(detector, "shoes", 1, range(100), ctr=0.05)
    run(detector, "shoes", 2, range(100, 200), ctr=0.1)
    [back] = run(detector, "shoes", 3, range(200, 300), ctr=0.05)
    assert back.before == pytest.approx(0.1, rel=0.1)
    assert detector.under_way(300 * LOOK_MS)[0].ratio == pytest.approx(0.5, rel=0.1)


def test_conversion_is_watched_too_and_categories_apart() -> None:
    detector = DriftDetector()
    run(detector, "shoes", 1, range(200), ctr=0.1, conversion=0.05)
    run(detector, "hats", 2, range(200), ctr=0.1, conversion=0.2)
    drifts = run(detector, "shoes", 3, range(200, 300), ctr=0.1, conversion=0.2)
    assert {(drift.category, drift.rate) for drift in drifts} == {("shoes", "conversion")}
    assert run(detector, "hats", 4, range(200, 250), ctr=0.1, conversion=0.2) == []


def test_the_same_looks_give_the_same_drifts() -> None:
    def all_drifts() -> list[Drift]:
        detector = DriftDetector()
        return run(detector, "shoes", 1, range(50), 0.05) + run(detector, "shoes", 2, range(50, 100), 0.15, 0.3)

    assert all_drifts() == all_drifts() != []


def test_rare_successes_are_not_lost_between_looks() -> None:
    some, none = DriftDetector(), DriftDetector()
    for look in range(2_000):
        some.observe("shoes", "ctr", 0.25, 0.0125, look)  # a trial every fourth look, a success every eightieth
        none.observe("shoes", "ctr", 0.25, 0, look)
    assert some.observe("shoes", "ctr", 1_000, 100, 2_000) is None, "too little to tell .05 from .1"
    found = none.observe("shoes", "ctr", 1_000, 100, 2_000)
    assert found is not None
    assert (found.before, found.after, found.ratio) == (0, 0.1, float("inf"))


def test_nothing_shown_and_impossible_rates_are_no_drift() -> None:
    detector = DriftDetector()
    assert detector.observe("shoes", "ctr", 0, 0, 1) is None
    assert detector.observe("shoes", "ctr", 10, 20, 2) is None
    assert detector.ratios(2) == {("shoes", "ctr"): 1.0}


@pytest.mark.parametrize("usual", [0.3, 1.0])
@pytest.mark.parametrize("factor", [0.6, 1.0, 1.6])
def test_a_calibration_is_told_when_it_leaves_its_usual_level_wherever_that_lies(usual: float, factor: float) -> None:
    random = np.random.default_rng(7)
    detector = DriftDetector()
    drifts = []
    for look in range(500):
        clicks = random.poisson(20 * usual * (factor if look >= 300 else 1))
        drifts.append(detector.observe("shoes", "calibration", 20, clicks, look * LOOK_MS))
        drifts.append(detector.observe("hats", "calibration", 0.02, look % 2, look * LOOK_MS))
    found = [drift for drift in drifts if drift]
    assert [drift.category for drift in found] == ([] if factor == 1 else ["shoes"])
    assert all(drift.before == pytest.approx(usual, rel=0.1) for drift in found)
    assert detector.ratios(500 * LOOK_MS)["shoes", "calibration"] == pytest.approx(factor, rel=0.1)
    assert detector.calibrations() == {"shoes": pytest.approx(usual * factor, rel=0.35)}, "too little is known of hats"
