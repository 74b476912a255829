"""Drift is found where a rate changed and nowhere else; calibration says by how much clicks differ from predictions."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo.vectors import sum_names
from infra.settings import HOUR_MS
from streams.drift import Calibration, Counted, Drift, DriftDetector, Increments

WINDOWS = ("10m", "1h", "24h", "7d")
NAMES = sum_names(WINDOWS)
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


def run(detector: DriftDetector, category: str, seed: int, looks: int, ctr: float, conversion: float) -> list[Drift]:
    random = np.random.default_rng(seed)
    drifts = []
    for _ in range(looks):
        clicks = random.binomial(500, ctr)
        drifts += detector.observe(category, Counted(500, clicks, random.binomial(clicks, conversion)))
    return drifts


@pytest.mark.parametrize("seed", range(5))
def test_a_changed_rate_is_found_soon_and_told_with_its_size(seed: int) -> None:
    detector = DriftDetector()
    assert run(detector, "shoes", seed, 100, ctr=0.05, conversion=0.1) == []
    drifts = run(detector, "shoes", seed + 100, 20, ctr=0.1, conversion=0.1)
    assert {drift.rate for drift in drifts} == {"ctr"}
    assert drifts[0].before == pytest.approx(0.05, abs=0.01)
    assert drifts[0].after > 0.055


def test_conversion_is_watched_too_and_categories_apart() -> None:
    detector = DriftDetector()
    run(detector, "shoes", 1, 200, ctr=0.1, conversion=0.05)
    run(detector, "hats", 2, 200, ctr=0.1, conversion=0.2)
    drifts = run(detector, "shoes", 3, 100, ctr=0.1, conversion=0.2)
    assert {(drift.category, drift.rate) for drift in drifts} == {("shoes", "conversion")}
    assert run(detector, "hats", 4, 50, ctr=0.1, conversion=0.2) == []


def test_the_same_looks_give_the_same_drifts() -> None:
    def all_drifts() -> list[Drift]:
        detector = DriftDetector()
        return run(detector, "shoes", 1, 50, 0.05, 0.1) + run(detector, "shoes", 2, 50, 0.15, 0.3)

    assert all_drifts() == all_drifts() != []


def test_rare_successes_are_not_lost_between_looks() -> None:
    detector, other = DriftDetector(), DriftDetector()
    for _ in range(400):
        detector.observe("shoes", Counted(10, 0.5, 0))  # half a click a look, as a capped sample gives
        other.observe("shoes", Counted(10, 0, 0))
    assert detector.observe("shoes", Counted(1_000, 500, 0))[0].before == pytest.approx(0.05, abs=0.005)
    assert other.observe("shoes", Counted(1_000, 500, 0))[0].before == 0


def test_impossible_rates_are_taken_as_certain() -> None:
    assert DriftDetector().observe("shoes", Counted(10, 20, 30)) == []


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.0])
def test_calibration_is_clicks_over_predicted_clicks(truth: float) -> None:
    random = np.random.default_rng(7)
    subject = Calibration()
    predicted = {"i|a": ("shoes", 0.05), "i|b": ("shoes", 0.1), "j|c": ("hats", 0.02)}
    for _ in range(300):
        subject.observe(
            {
                "i|a": Counted(200, random.binomial(200, 0.05 * truth), 0),
                "i|b": Counted(100, random.binomial(100, 0.1 * truth), 0),
                "j|c": Counted(1, 1, 0),
            },
            predicted,
        )
    assert subject.ratios() == {"shoes": pytest.approx(truth, rel=0.2)}, "too little is known of hats"
