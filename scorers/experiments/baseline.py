"""What a history says before an experiment: the rate, how alike campaigns of a seller are, and today's traffic."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.settings import DAY_MS
from scorers.experiments.assignment import unit_of
from scorers.experiments.plan import BadPlan, Baseline, Unit
from scorers.history import History, attributed
from streams.contracts.messages import CampaignState


def measure(history: History, unit: Unit, window_days: int, attribution_window_ms: int) -> Baseline:
    """The baseline of `purchase_rate` over the history's last `window_days`.

    The correlation is what makes Kish's design effect equal the observed one: variance of the rate with sellers as
    units over the variance that independent campaigns would give.

    Raises:
        BadPlan: the history is too short, or too few campaigns had a purchase in it.
    """
    first, last = history.span
    begins = last - window_days * DAY_MS
    if begins < first:
        raise BadPlan(
            f"window_days: {window_days} is longer than the history's {history.days:.1f} days; "
            "give a longer history, or plan a shorter window"
        )
    running = [one for one in history.campaigns if one.starts_at <= begins and (one.ends_at or last) > begins]
    bought = set(
        attributed(history.clicks, history.purchases, attribution_window_ms)
        .filter(pl.col("purchased_at") >= begins)
        .get_column("campaign")
        .drop_nulls()
    )
    per_unit: dict[str, list[int]] = {}
    for one in running:
        per_unit.setdefault(unit_of(one, unit), []).append(int(one.campaign in bought))
    held = np.array([len(of_unit) for of_unit in per_unit.values()], dtype=np.float64)
    hits = np.array([sum(of_unit) for of_unit in per_unit.values()], dtype=np.float64)
    if len(held) < 2 or not 0 < hits.sum() < held.sum():
        raise BadPlan(
            f"baseline: {int(hits.sum())} of {int(held.sum())} campaigns that ran {window_days} days before the "
            "history's end had a purchase since; a rate between 0 and 1 of two units at least is needed"
        )
    rate = float(hits.sum() / held.sum())
    clustered = float(np.var(hits - rate * held, ddof=1)) / float(held.mean())
    factor = clustered / (rate * (1 - rate))
    alike = float(held.mean()) * (1 + float(held.var() / held.mean() ** 2)) - 1
    correlation = min(0.99, max(0.0, (factor - 1) / alike)) if alike > 0 else 0.0
    created = _created(history.campaigns, unit, begins, last)
    return Baseline(
        rate=rate,
        campaigns_per_seller=float(held.mean()),
        campaigns_variation=float(held.std() / held.mean()),
        intra_seller_correlation=correlation,
        created=max(float(created.mean()), 1e-6),
        created_deviation=max(float(created.std()), 1e-6),
        sellers_at_start=len({unit_of(one, unit) for one in history.campaigns if (one.ends_at or last + 1) > last}),
        new_sellers_per_week=_new_per_week(history.campaigns, unit, first, last),
    )


def _created(campaigns: list[CampaignState], unit: Unit, begins: int, last: int) -> NDArray[np.float64]:
    """Campaigns that each unit, if it had one before, created since `begins`."""
    known = {unit_of(one, unit): 0 for one in campaigns if one.starts_at <= begins}
    for one in campaigns:
        if begins < one.starts_at <= last and unit_of(one, unit) in known:
            known[unit_of(one, unit)] += 1
    return np.array(list(known.values()), dtype=np.float64)


def _new_per_week(campaigns: list[CampaignState], unit: Unit, first: int, last: int) -> int:
    """Units whose first campaign began during the history, a week."""
    begun: dict[str, int] = {}
    for one in campaigns:
        key = unit_of(one, unit)
        begun[key] = min(begun.get(key, one.starts_at), one.starts_at)
    weeks = max((last - first) / (7 * DAY_MS), 1e-9)
    return int(sum(first < begin <= last for begin in begun.values()) / weeks)
