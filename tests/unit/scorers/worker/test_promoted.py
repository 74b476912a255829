"""A bundle that is promoted while a worker runs: taken up, refused, tried again."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY

from infra.clock import ManualClock
from scorers.ranking.bundle import BundleRefused
from scorers.worker.promoted import Promoted


class Place:
    """Where bundles are promoted to."""

    def __init__(self) -> None:
        self.version = "first"
        self.loads: list[str] = []
        self.problem: Exception | None = None
        self.may_load = threading.Event()
        self.may_load.set()
        self.clock = ManualClock(1_700_000_000_000)
        self.promoted = Promoted(self._version, self._load, self.clock)

    def _version(self) -> str:
        if self.version == "missing":
            raise BundleRefused("manifest.json is missing")
        return self.version

    def _load(self) -> str:
        self.may_load.wait()
        self.loads.append(self.version)
        if self.problem:
            raise self.problem
        return self.version

    def later(self) -> bool:
        """Ten seconds on, once nothing is being loaded: whether another one was taken up."""
        self.clock.advance_to(self.clock.now_ms() + 10_000)
        taken = self.promoted.poll()
        while self.promoted._loading:
            taken = self.promoted.poll()
        return taken


@pytest.fixture
def place() -> Place:
    return Place()


def refused() -> float | None:
    return REGISTRY.get_sample_value("keypulse_bundle_refused")


def test_the_same_bundle_is_not_loaded_twice(place: Place) -> None:
    assert not any(place.later() for _ in range(3))
    assert place.loads == ["first"]


def test_another_bundle_is_loaded_beside_the_work_and_taken_up_when_it_is_there(place: Place) -> None:
    place.may_load.clear()
    place.version = "second"
    place.clock.advance_to(place.clock.now_ms() + 10_000)
    assert not any(place.promoted.poll() for _ in range(5))
    assert place.promoted.current == "first"
    place.may_load.set()
    assert place.later()
    assert place.promoted.current == "second"
    assert not place.later()


@pytest.mark.parametrize("problem", [BundleRefused("made for other windows"), OSError("disk"), ValueError("bytes")])
def test_a_bundle_that_cannot_be_used_is_said_once_and_tried_again(
    place: Place, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    place.version, place.problem = "second", problem
    assert not place.later()
    assert not place.later()
    assert place.promoted.current == "first"
    assert refused() == 1
    assert [one.getMessage() for one in caplog.records] == [
        f"the promoted bundle is not taken up, first goes on: second: {problem}"
    ]
    place.problem = None
    assert place.later()
    assert (place.promoted.current, refused()) == ("second", 0)


def test_work_goes_on_while_one_bundle_takes_the_place_of_another_on_disk(place: Place) -> None:
    place.version = "missing"
    assert not place.later()
    assert refused() == 1
    place.version = "first"
    assert not place.later()
    assert (place.loads, refused()) == (["first"], 0)
