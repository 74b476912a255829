"""Who gets what: a pure function of a unit's id and salts, so that restarts and other partitions change nothing.

A unit's place in a layer is the hash of (layer, unit), its arm the hash of (experiment, unit): independent of each
other. The standing hold-out is hashed with a salt of its own, so that it is the same units in every experiment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from scorers.experiments.plan import HOLD_OUT, Plan, Unit
from streams.contracts.messages import CampaignState

_SPAN = float(1 << 64)


def position(salt: str, unit: str) -> float:
    """Where a unit lies in [0, 1): uniform over units, independent between salts (SHA-256)."""
    digest = hashlib.sha256(f"{salt}\x00{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _SPAN


def unit_of(campaign: CampaignState, unit: Unit) -> str:
    """What a campaign is assigned by."""
    return campaign.seller if unit == "seller" else campaign.category


def assign(plan: Plan, unit: str) -> str | None:
    """The unit's arm, `hold-out`, or None when the experiment doesn't take the unit's part of its layer."""
    if position("hold-out", unit) < plan.hold_out:
        return HOLD_OUT
    if not plan.layer.begin <= position(f"layer {plan.layer.name}", unit) < plan.layer.end:
        return None
    place = position(f"experiment {plan.assignment_salt}", unit)
    reached = 0.0
    for arm in plan.arms:
        reached += arm.share
        if place < reached:
            return arm.name
    return plan.arms[-1].name


def overlapping(plan: Plan, others: Iterable[Plan]) -> list[Plan]:
    """The others that claim a part of the same layer, so that a unit would have two arms of it."""
    own = plan.layer
    return [
        other
        for other in others
        if other.layer.name == own.name and max(own.begin, other.layer.begin) < min(own.end, other.layer.end)
    ]
