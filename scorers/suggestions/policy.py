"""Worth telling? A campaign hears from us when its list changed materially, not on every click. Pure.

Everything is judged against what was last *told*, not last computed: a slow drift adds up until it is told once, and a
value that swings to and fro within the thresholds is never told. After a telling the difference is nil, so that no
change is told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from infra.settings import Settings


@dataclass(frozen=True)
class Policy:
    """Thresholds; see the settings of the same names for their meaning."""

    interval_ms: int
    margin: float
    min_share: float
    value_factor: float
    surge_factor: float
    rank_move: int

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        return cls(
            settings.suggestion_interval_ms,
            settings.suggestion_margin,
            settings.suggestion_min_share,
            settings.suggestion_value_factor,
            settings.suggestion_surge_factor,
            settings.suggestion_rank_move,
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a list is worth a message, and whether it may wait for the campaign's interval."""

    material: bool
    surge: bool
    changed: tuple[str, ...] = ()
    """The keywords that make it so: added, removed, worth much more or less, or moved far."""


def steady(values: Mapping[str, float], told: Set[str], most: int, margin: float) -> list[str]:
    """The `most` best keywords, best first; one that was told keeps its place against a slightly better newcomer.

    A newcomer takes a place when it is worth more than `1 + margin` times the told keyword that it displaces. The order
    within the list is by value alone. Of equal values the first in the alphabet is better.
    """
    favoured = {keyword: value * (1 + margin) if keyword in told else value for keyword, value in values.items()}
    chosen = sorted(favoured, key=lambda keyword: (-favoured[keyword], keyword))[:most]
    return sorted(chosen, key=lambda keyword: (-values[keyword], keyword))


def judge(
    told: Mapping[str, float],
    now: Mapping[str, float],
    withdrawn: Set[str],
    surging: Set[str],
    told_surging: Set[str],
    policy: Policy,
) -> Verdict:
    """Compare a list with the one last told.

    Args:
        told, now: keyword to value, best first.
        withdrawn: keywords that the seller adopted or dismissed: when one leaves, that is told however small it is.
        surging: keywords of which demand rises fast: far above what was foreseen, or of which a surge was signalled.
        told_surging: those of which this was told.

    A keyword matters when it holds `min_share` of the list's value, then or now. The list changed materially when a
    keyword that matters came, left, is worth `value_factor` times more or less, or moved by `rank_move` places and by
    more than the margin; and when one begins to surge that matters and is worth no less than told: its value follows
    as the windows fill, too late to act on. It surged then, and when one that came, or is worth so much more, surges.
    """
    total_told, total_now = sum(told.values()), sum(now.values())
    ranks_told = {keyword: rank for rank, keyword in enumerate(told)}
    ranks_now = {keyword: rank for rank, keyword in enumerate(now)}
    changed: list[str] = []
    surge = False
    for keyword in [*now, *(keyword for keyword in told if keyword not in now)]:
        before, after = told.get(keyword, 0.0), now.get(keyword, 0.0)
        matters = max(_share(before, total_told), _share(after, total_now)) >= policy.min_share
        begins = keyword in surging and keyword not in told_surging and matters and after > before
        if keyword not in now:
            material = matters or keyword in withdrawn
        elif keyword not in told:
            material = matters
        else:
            moved = abs(ranks_told[keyword] - ranks_now[keyword]) >= policy.rank_move
            factor = min(1 + policy.margin, policy.value_factor) if moved else policy.value_factor
            material = begins or (matters and _differ(before, after, factor))
        if material:
            changed.append(keyword)
            grew = after > before and _differ(before, after, policy.value_factor)
            surge = surge or begins or (grew and keyword in surging)
    return Verdict(bool(changed), surge, tuple(changed))


def tell_at(told_at_ms: int, verdict: Verdict, policy: Policy) -> int:
    """When a materially changed list may be told, ms: at once (0) when it surged, else after the interval."""
    return 0 if verdict.surge else told_at_ms + policy.interval_ms


def _share(value: float, total: float) -> float:
    return value / total if total > 0 else 0.0


def _differ(before: float, after: float, factor: float) -> bool:
    low, high = sorted((before, after))
    return high >= factor * low and high > low
