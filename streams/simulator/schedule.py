"""How many searches a history holds at which time: its days at their own rate, and on top the warm-up at a live one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.settings import HOUR_MS, MINUTE_MS
from streams.simulator.catalogue import Floats, Ints
from streams.simulator.market import Market


@dataclass(frozen=True)
class Schedule:
    """S slots of time that follow each other: hours, and minutes in the warm-up."""

    begins: Ints
    ends: Ints
    searches: Ints
    shares: Floats
    """S x concepts: each concept's share of the slot's searches."""

    def __len__(self) -> int:
        return len(self.begins)


def schedule(rng: np.random.Generator, market: Market) -> Schedule:
    """Spread the plan's searches over the demand of its days, those of the warm-up evenly over its minutes."""
    plan = market.plan
    parts = [_slots(market, plan.start_ms, plan.warm_up_from_ms, HOUR_MS)]
    if plan.warm_up_ms:
        parts.append(_slots(market, plan.warm_up_from_ms, plan.until_ms, MINUTE_MS))
    begins, ends, intensity = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    demand = intensity.sum(axis=1)
    searches = rng.multinomial(plan.searches, demand / demand.sum())
    if plan.warm_up_ms:
        lasts = (ends - begins) * (begins >= plan.warm_up_from_ms)
        searches += rng.multinomial(plan.warm_up_searches, lasts / lasts.sum())
    return Schedule(begins, ends, searches, intensity / demand[:, None])


def _slots(market: Market, from_ms: int, to_ms: int, step_ms: int) -> tuple[Ints, Ints, Floats]:
    begins, intensity = market.demand.steps(from_ms, to_ms, step_ms)
    return np.maximum(begins, from_ms), np.minimum(begins + step_ms, to_ms), intensity
