"""Campaigns that wait to be scored, the most urgent first. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from streams.contracts.messages import Signal

AT_ONCE = 1e6
"""Impact of what may not wait: a new, changed or closed campaign."""

AGEING_PER_S = 0.003
"""Impact that a second of waiting adds."""

WORTH_SCORING = 0.003
"""Impact below which a campaign goes on waiting, a second at most: more signals may pile up on it."""


@dataclass
class Wait:
    """Why a campaign waits. Signals pile up on it; the latest state is taken once."""

    trigger: Signal
    """The one with the greatest impact."""
    impact: float
    """Of all."""
    since_ms: int
    greatest: float

    def urgency(self, now_ms: int) -> float:
        """Impact, and the longer it waits the more."""
        return self.impact + AGEING_PER_S * (now_ms - self.since_ms) / 1_000


class Waiting:
    """The waiting campaigns of a shard."""

    def __init__(self) -> None:
        self._waits: dict[str, Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, campaign: str) -> bool:
        return campaign in self._waits

    def add(self, campaign: str, signal: Signal, impact: float, now_ms: int) -> None:
        """One reason more to score the campaign."""
        wait = self._waits.get(campaign)
        if wait is None:
            self._waits[campaign] = Wait(signal, impact, now_ms, impact)
            return
        wait.impact += impact
        if impact >= wait.greatest:
            wait.trigger, wait.greatest = signal, impact

    def next(self, most: int, now_ms: int) -> list[str]:
        """The most urgent ones of those worth scoring."""
        urgencies = {campaign: wait.urgency(now_ms) for campaign, wait in self._waits.items()}
        due = (campaign for campaign, urgency in urgencies.items() if urgency >= WORTH_SCORING)
        return heapq.nlargest(most, due, key=lambda campaign: urgencies[campaign])

    def take(self, most: int, now_ms: int) -> dict[str, Wait]:
        """The same, which then wait no more."""
        return {campaign: self._waits.pop(campaign) for campaign in self.next(most, now_ms)}

    def greatest(self, now_ms: int) -> float:
        """Urgency of the most urgent one; 0 when none waits."""
        return max((wait.urgency(now_ms) for wait in self._waits.values()), default=0.0)

    def remove(self, campaign: str) -> None:
        """It need not be scored any more."""
        self._waits.pop(campaign, None)
