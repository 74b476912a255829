"""Why a keyword is suggested, in words that a seller understands. Pure.

A reason is given only when the evidence behind it passes a threshold, strongest kind first, `MOST` at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from scorers.suggestions.growth import growth
from streams.contracts.messages import Reason, Signal

MOST = 4

_GROWN, _FALLEN = 1.5, 0.5
"""Searches against what was foreseen, both sides smoothed."""
_BETTER = 1.3
"""Purchases per search against the category's."""
_MANY_SEARCHES = 100
_CLOSE = 0.6
_COVERED = 0.8
_FEW_RIVALS = 2
_DRIFTED = 0.1
"""Change of a category's rate."""
_RATE_WORDS = {
    "ctr": ("clicks per impression in {}", ""),
    "conversion": ("purchases per click in {}", ""),
    "calibration": ("clicks on adopted keywords in {}", " against what is predicted"),
}
_WINDOW_WORDS = {"10m": "10 minutes", "1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}


@dataclass(frozen=True)
class Evidence:
    """What is known of a keyword for a campaign. Counts are of the longest window unless said otherwise."""

    category: str
    sources: Set[str]
    """That found it, for any of the items."""
    windows: Sequence[str]
    """All W, shortest first."""
    seen: Sequence[float]
    foreseen: Sequence[float]
    """Searches in each window but the longest (see `value.Forecast`)."""
    smoothing: float
    surge_factor: float
    """Growth from which a keyword counts as surging, whatever its other windows show."""
    surge: Signal | None
    """What was signalled of it when it surges."""
    searches: float
    pair_clicks: float
    pair_purchases: float
    """Of the item it sells best."""
    sells_better: float
    """Its purchases per search over the category's, smoothed."""
    similarity: float
    coverage: float
    """Share of the keyword's words that the item's text holds."""
    rivals: int
    drift: Signal | None
    """What was signalled of its category when that drifts."""


def reasons(evidence: Evidence) -> list[Reason]:
    """The reasons, strongest kind first."""
    return list(_all(evidence))[:MOST]


def _all(evidence: Evidence) -> Iterator[Reason]:
    demand = list(_demand(evidence))
    yield from demand
    if evidence.pair_purchases >= 1:
        yield Reason(code="bought", text=f"buyers of this item searched it ({_count(evidence.pair_purchases)} bought)")
    elif evidence.pair_clicks >= 1:
        yield Reason(code="clicked", text=f"shoppers who searched it clicked this item {_times(evidence.pair_clicks)}")
    elif "co_searched" in evidence.sources:
        yield Reason(code="co_searched", text="buyers of this item searched it")
    if evidence.sells_better >= _BETTER:
        text = f"sells {_factor(evidence.sells_better)} better per search than {evidence.category} does"
        yield Reason(code="sells", text=text)
    if "rising" in evidence.sources and not any(reason.code == "fall" for reason in demand):
        yield Reason(code="rising", text=f"rising in {evidence.category}")
    if evidence.coverage >= _COVERED:
        yield Reason(code="title", text="its words stand in the item's title or specification")
    elif evidence.similarity >= _CLOSE:
        yield Reason(code="similar", text="close in meaning to the item's title")
    if evidence.searches >= _MANY_SEARCHES:
        text = f"searched {_count(evidence.searches)} times in the last {_WINDOW_WORDS[evidence.windows[-1]]}"
        yield Reason(code="searched", text=text)
    if evidence.rivals <= _FEW_RIVALS and evidence.searches >= _MANY_SEARCHES:
        few = {0: "no other seller bids", 1: "only one seller bids"}.get(
            evidence.rivals, f"only {evidence.rivals} sellers bid"
        )
        yield Reason(code="few_rivals", text=f"{few} for it")
    if "adopted" in evidence.sources:
        yield Reason(code="adopted", text="in the campaign already")
    yield from _drift(evidence)


def _demand(evidence: Evidence) -> Iterator[Reason]:
    """A surge; else the window in which searches differ most from what was foreseen, if they differ much.

    A set that a surge led to must not say that searches fell, although over a longer window they may have, by more.
    """
    if evidence.surge:
        now, usual = evidence.surge.after, max(evidence.surge.before, 1)
        seconds = evidence.surge.window.removesuffix("s")
        span = "second" if seconds == "1" else f"{seconds} seconds"
        text = f"searches up {_factor(now / usual)} in the last {span} ({_count(now)}, usually {_count(usual)})"
        yield Reason(code="surge", text=text)
        return
    ratios = [
        growth(seen, foreseen, evidence.smoothing)
        for seen, foreseen in zip(evidence.seen, evidence.foreseen, strict=True)
    ]
    if not ratios:
        return
    surges = max(ratios) >= evidence.surge_factor
    changes = ratios if surges else [max(ratio, 1 / ratio) for ratio in ratios]
    most = changes.index(max(changes))
    seen, foreseen = evidence.seen[most], evidence.foreseen[most]
    span = _WINDOW_WORDS[evidence.windows[most]]
    if ratios[most] >= _GROWN and foreseen < 1:
        yield Reason(code="surge", text=f"searched {_count(seen)} times in the last {span}, hardly ever before")
    elif ratios[most] >= _GROWN:
        yield Reason(code="surge", text=f"searches up {_factor(seen / foreseen)} in the last {span}")
    elif ratios[most] <= _FALLEN:
        yield Reason(code="fall", text=f"searches down to {seen / foreseen:.0%} in the last {span}")


def _drift(evidence: Evidence) -> Iterator[Reason]:
    """What happens in the category: it says nothing of the keyword, so it comes last."""
    drift = evidence.drift
    if drift is None or drift.metric not in _RATE_WORDS or drift.before <= 0:
        return
    change = drift.after / drift.before - 1
    if abs(change) >= _DRIFTED:
        rate, against = _RATE_WORDS[drift.metric]
        direction = "up" if change > 0 else "down"
        since = datetime.fromtimestamp(drift.event_time / 1_000, UTC)
        moved = f"{rate.format(evidence.category)} are {direction} {abs(change):.0%}"
        yield Reason(code="drift", text=f"{moved}{against} since {since:%H:%M} UTC")


def _factor(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 3 else f"{ratio:.1f}x"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _times(number: float) -> str:
    return "once" if number == 1 else f"{_count(number)} times"
