"""Which campaigns depend on an entity, and how much of a list's value a movement of it can shift. Pure.

A movement by the factor `after / before` shifts a keyword's value by about that factor to a power: for searches the one
with which the forecast takes a surprise of that window, for rates, which are smoothed, a flat one. Times the keyword's
share of the list's value as last scored, that is the impact by which waiting campaigns are ordered. It orders work and
decides nothing: what is told follows from the scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from feature_repo.vectors import split_entity
from infra.settings import WINDOW_LENGTHS_MS, Settings
from scorers.suggestions.value import HORIZON_MS
from streams.contracts.messages import Signal

_RATE_POWER = 0.3
_ITEM_POWER = 0.1
"""An item's counts raise all its keywords alike; the order changes little."""


@dataclass(frozen=True)
class _Known:
    items: frozenset[str]
    shares: Mapping[str, float]


class Dependencies:
    """The index of one shard: item -> campaigns, and keyword -> campaigns that have it as a candidate."""

    def __init__(self, settings: Settings) -> None:
        self._persistence = settings.forecast_persistence
        self._known: dict[str, _Known] = {}
        self._of_item: dict[str, set[str]] = defaultdict(set)
        self._of_keyword: dict[str, set[str]] = defaultdict(set)

    def update(self, campaign: str, items: Iterable[str], shares: Mapping[str, float]) -> None:
        """Note what a campaign depends on: `shares` are its candidates with their share of its list's value."""
        new, old = _Known(frozenset(items), shares), self._known.get(campaign, _Known(frozenset(), {}))
        self._known[campaign] = new
        _move(self._of_item, campaign, old.items, new.items)
        _move(self._of_keyword, campaign, old.shares.keys(), new.shares.keys())

    def remove(self, campaign: str) -> None:
        """Forget a campaign."""
        self.update(campaign, (), {})
        del self._known[campaign]

    def having(self, item: str) -> list[str]:
        """Campaigns that promote the item."""
        return list(self._of_item.get(item, ()))

    def affected(self, signal: Signal) -> Iterator[tuple[str, float]]:
        """Campaigns that a moved item, keyword or pair concerns, each with the signal's impact on it."""
        kind, key = split_entity(signal.entity)
        if kind == "keyword":
            change = self._change(signal)
            for campaign in self._of_keyword.get(key, ()):
                yield campaign, self._known[campaign].shares[key] * change
        elif kind == "pair":
            item, _, canonical = key.partition("|")
            change = self._change(signal)
            for campaign in self._of_item.get(item, ()):
                yield campaign, self._known[campaign].shares.get(canonical, 0.0) * change
        elif kind == "item":
            change = _factor(signal, _ITEM_POWER)
            for campaign in self._of_item.get(key, ()):
                yield campaign, change / max(len(self._known[campaign].items), 1)

    def _change(self, signal: Signal) -> float:
        if signal.metric != "searches":
            return _factor(signal, _RATE_POWER)
        window = WINDOW_LENGTHS_MS.get(signal.window, HORIZON_MS)
        return _factor(signal, (window / HORIZON_MS) ** self._persistence)


def _factor(signal: Signal, power: float) -> float:
    """By which share a value changes: 0 for no movement."""
    ratio = (signal.after + 1) / (signal.before + 1)
    return float(abs(ratio**power - 1))


def _move(index: dict[str, set[str]], campaign: str, old: Iterable[str], new: Iterable[str]) -> None:
    before, after = set(old), set(new)
    for key in after - before:
        index[key].add(campaign)
    for key in before - after:
        index[key].discard(campaign)
        if not index[key]:
            del index[key]
