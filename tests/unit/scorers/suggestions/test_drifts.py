"""A drift of a category is a reason of its keywords while it lasts; it shifts no score and leads to no message."""

from __future__ import annotations

import pytest

from scorers.suggestions.drifts import LASTS_MS, Drifts
from streams.contracts.messages import Signal, Suggestion
from tests.unit.scorers.shop import NOW, Shop


def drift(category: str, rate: str = "ctr", after: int = 40_000, since_ms: int = NOW) -> Signal:
    return Signal(f"category:{category}", "drifted", rate, "", before=50_000, after=after, event_time=since_ms)


def drift_reasons(suggestions: list[Suggestion]) -> list[str]:
    return [reason.text for one in suggestions for reason in one.reasons if reason.code == "drift"]


def test_the_drift_that_began_last_is_known_until_it_is_no_longer_told() -> None:
    drifts = Drifts()
    ctr, conversion = drift("boots"), drift("boots", "conversion", since_ms=NOW + 1)
    drifts.observe([conversion, ctr, drift("lamps"), Signal("keyword:boots", "surged", "searches")], NOW)
    assert drifts.by_category() == {"boots": conversion, "lamps": drift("lamps")}
    again = drift("boots", after=35_000)
    drifts.observe([again], NOW + LASTS_MS)
    assert drifts.by_category() == {"boots": conversion, "lamps": drift("lamps")}
    drifts.observe([], NOW + LASTS_MS + 1)
    assert drifts.by_category() == {"boots": again}


@pytest.mark.parametrize("rate", ["ctr", "conversion", "calibration"])
def test_a_drift_is_told_with_the_next_list_and_changes_nothing_else(rate: str) -> None:
    with_drift, without = Shop(), Shop()
    for shop in (with_drift, without):
        shop.product("i1", "Rain boots for kids")
        shop.campaign("c1", "i1")
        shop.told()
    with_drift.signal(drift("boots", rate), drift("lamps", rate))
    assert with_drift.turn() == without.turn() == []
    for shop in (with_drift, without):
        shop.searches("boots kids", per_day=100, surge=60)
        shop.moved("boots kids", 4, 240)
    told, usual = (shop.told(shop.settings.suggestion_interval_ms).suggestions for shop in (with_drift, without))
    assert [(one.canonical, one.score, one.p_click) for one in told] == [
        (one.canonical, one.score, one.p_click) for one in usual
    ]
    assert drift_reasons(usual) == []
    assert drift_reasons(told) != []
    assert all("in boots are down 20%" in text for text in drift_reasons(told))
    assert all(len(drift_reasons([one])) <= 1 for one in told)
