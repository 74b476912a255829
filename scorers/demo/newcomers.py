"""Campaigns that open while events are live: how soon has each its first list?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from infra import kafka
from infra.clock import Clock
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import CampaignState

MANY = 5


class Newcomers:
    """Opens campaigns like those of the market, under new names, one after the other."""

    def __init__(self, settings: Settings, campaigns: Path, clock: Clock) -> None:
        """`campaigns`: the market's campaigns, a JSON `CampaignState` a line."""
        states = [msgspec.json.decode(line, type=CampaignState) for line in campaigns.read_bytes().splitlines()]
        self._models = [state for state in states if state.status == "active"][:MANY]
        self._topic = Topics.of(settings).campaign_state.name
        self._producer = kafka.producer(settings)
        self._clock = clock
        self.opened_ms: dict[str, int] = {}
        """By campaign, when it was published."""

    def open_next(self) -> None:
        """Publish one more campaign; nothing when `MANY` are open."""
        if len(self.opened_ms) == len(self._models):
            return
        model, now = self._models[len(self.opened_ms)], self._clock.now_ms()
        name = f"{model.campaign}-newcomer"
        state = msgspec.structs.replace(model, campaign=name, keywords=[], starts_at=now, updated_at=now)
        self._producer.produce(self._topic, msgspec.json.encode(state), name)
        self._producer.flush()
        self.opened_ms[name] = now


def seconds_to_first_list(opened_ms: dict[str, int], sets: Sequence[tuple[str, int]]) -> dict[str, float | None]:
    """For each new campaign the seconds until a consumer had its first list; None when it never came.

    Args:
        opened_ms: by campaign, when it was published.
        sets: campaign of each set that came, and when (ms), in the order they came.
    """
    first: dict[str, int] = {}
    for campaign, at_ms in sets:
        first.setdefault(campaign, at_ms)
    return {
        campaign: (first[campaign] - opened) / 1_000 if campaign in first else None
        for campaign, opened in opened_ms.items()
    }
