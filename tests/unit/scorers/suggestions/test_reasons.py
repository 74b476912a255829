"""Reasons in words follow from the evidence, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import WINDOW_LENGTHS_MS
from scorers.suggestions.growth import growth
from scorers.suggestions.reasons import MOST, Evidence, reasons
from streams.contracts.messages import Signal

QUIET = Evidence(
    category="boots",
    sources=frozenset(),
    windows=("10m", "1h", "24h", "7d"),
    seen=(5.0, 30.0, 720.0),
    foreseen=(5.0, 30.0, 720.0),
    smoothing=20.0,
    surge_factor=3.0,
    surge=None,
    searches=50.0,
    pair_clicks=0.0,
    pair_purchases=0.0,
    sells_better=1.0,
    similarity=0.4,
    coverage=0.0,
    rivals=9,
    drift=None,
)


AT_14_05 = 1_760_018_755_000
SURGE = Signal("keyword:boot rain", "surged", "searches", "4s", before=2, after=12)


def drift(rate: str, before: int, after: int) -> Signal:
    return Signal("category:boots", "drifted", rate, "", before, after, AT_14_05)


def texts(**over: object) -> list[str]:
    return [reason.text for reason in reasons(replace(QUIET, **over))]  # type: ignore[arg-type]


MANY: dict[str, object] = {
    "seen": (10.0, 240.0, 900.0),
    "pair_purchases": 3.0,
    "sells_better": 2.0,
    "sources": {"rising", "adopted"},
    "coverage": 1.0,
    "searches": 5_000.0,
}


def test_without_evidence_there_is_no_reason() -> None:
    assert texts() == []


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"seen": (10.0, 240.0, 900.0)}, "searches up 8x in the last hour"),
        ({"surge": SURGE, "seen": (1.0, 4.0, 720.0)}, "searches up 6x in the last 4 seconds (12, usually 2)"),
        ({"seen": (5.0, 30.0, 1_300.0)}, "searches up 1.8x in the last 24 hours"),
        ({"seen": (40.0, 40.0, 730.0), "foreseen": (0.2, 1.0, 700.0)}, "hardly ever before"),
        ({"seen": (5.0, 30.0, 100.0)}, "searches down to 14% in the last 24 hours"),
        ({"pair_purchases": 3.0}, "buyers of this item searched it (3 bought)"),
        ({"pair_clicks": 1.0}, "shoppers who searched it clicked this item once"),
        ({"sources": {"co_searched"}}, "buyers of this item searched it"),
        ({"sells_better": 2.34}, "sells 2.3x better per search than boots does"),
        ({"sources": {"rising"}}, "rising in boots"),
        ({"coverage": 1.0}, "its words stand in the item's title or specification"),
        ({"similarity": 0.7}, "close in meaning to the item's title"),
        ({"searches": 1_234.0}, "searched 1,234 times in the last 7 days"),
        ({"searches": 1_234.0, "windows": ("10m", "1h", "24h", "30d")}, "searched 1,234 times in the last 30 days"),
        ({"searches": 1_234.0, "rivals": 0}, "no other seller bids for it"),
        ({"sources": {"adopted"}}, "in the campaign already"),
        ({"drift": drift("ctr", 50_000, 40_000)}, "clicks per impression in boots are down 20% since 14:05 UTC"),
        ({"drift": drift("conversion", 50_000, 80_000)}, "purchases per click in boots are up 60% since 14:05 UTC"),
        (
            {"drift": drift("calibration", 400_000, 280_000)},
            "clicks on adopted keywords in boots are down 30% against what is predicted since 14:05 UTC",
        ),
    ],
)
def test_one_piece_of_evidence_gives_its_reason(over: dict[str, object], text: str) -> None:
    assert any(text in given for given in texts(**over))


@pytest.mark.parametrize("window", WINDOW_LENGTHS_MS)
def test_every_window_on_offer_has_its_words(window: str) -> None:
    [searched] = texts(windows=(window,), seen=(), foreseen=(), searches=200.0)
    assert searched.startswith("searched 200 times in the last ")
    assert window not in searched


def test_a_few_events_more_are_no_growth() -> None:
    assert growth(3.0, 0.0, 5.0) < 2 < growth(80.0, 10.0, 5.0)


def test_a_few_searches_are_no_surge() -> None:
    assert texts(seen=(3.0, 4.0, 5.0), foreseen=(0.1, 0.5, 4.0)) == []


def test_a_surge_is_not_called_a_fall_as_a_longer_window_fell_by_more() -> None:
    fell_then_surged = {"seen": (60.0, 70.0, 100.0), "foreseen": (5.0, 30.0, 720.0)}
    assert texts(**fell_then_surged) == ["searches up 12x in the last 10 minutes"]
    assert texts(**fell_then_surged, surge_factor=4.0) == ["searches down to 14% in the last 24 hours"]


def test_what_falls_is_not_called_rising() -> None:
    assert texts(sources={"rising"}, seen=(5.0, 30.0, 100.0)) == ["searches down to 14% in the last 24 hours"]


_searches = st.lists(st.floats(0, 10_000), min_size=3, max_size=3)


@given(_searches, _searches)
def test_what_counts_as_surging_says_so_and_nothing_else_of_demand(seen: list[float], foreseen: list[float]) -> None:
    evidence = replace(QUIET, seen=seen, foreseen=foreseen)
    codes = [reason.code for reason in reasons(evidence)]
    if growth(np.array(seen), np.array(foreseen), 20.0).max() >= evidence.surge_factor:
        assert codes == ["surge"]
    assert len(codes) <= 1


@pytest.mark.parametrize("signal", [drift("ctr", 50_000, 47_000), drift("conversion", 0, 47_000)])
def test_a_small_drift_and_one_from_nothing_are_no_reason(signal: Signal) -> None:
    assert texts(drift=signal) == []


def test_a_drift_is_the_weakest_reason() -> None:
    given = texts(drift=drift("ctr", 50_000, 40_000), sources={"adopted", "rising"}, coverage=1.0)
    assert given[-1].startswith("clicks per impression")
    assert not any("since" in text for text in texts(drift=drift("ctr", 1, 9), **MANY))


def test_the_surge_comes_first_and_the_rest_is_cut() -> None:
    everything = texts(**MANY)
    assert len(everything) == MOST
    assert everything[0] == "searches up 8x in the last hour"
