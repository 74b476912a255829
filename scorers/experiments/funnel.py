"""How far suggestions come: units exposed, lists shown, keywords accepted or dismissed, by rank, source and reason."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from scorers.experiments.plan import Plan
from scorers.experiments.tables import Tables
from scorers.experiments.units import unit_sums

ACTIONS = ("shown", "accepted", "dismissed")


@dataclass(frozen=True)
class Funnel:
    """Counts of the final units."""

    steps: dict[str, dict[str, int]]
    """By arm: units exposed, with a keyword shown, with one accepted, who adopted a computed one."""
    by: dict[str, list[tuple[str, dict[str, int]]]]
    """By rank, source and reason: how often each action was taken."""


def funnel(plan: Plan, tables: Tables, done: pl.DataFrame) -> Funnel:
    """The adoption funnel of the units whose windows are over. Feedback counts inside the window."""
    campaigns = tables.campaigns.join(done, on="unit").select("campaign", "unit", "arm", "exposed_at")
    age = pl.col("at") - pl.col("exposed_at")
    said = tables.feedback.join(campaigns, on="campaign").filter((age >= 0) & (age < plan.window_ms))
    used = unit_sums(plan, tables, done).filter(pl.col("used") > 0)
    steps = {}
    for arm in plan.arms:
        of_arm = said.filter(arm=arm.name)
        steps[arm.name] = {
            "exposed": done.filter(arm=arm.name).height,
            "shown": of_arm.filter(action="shown").get_column("unit").n_unique(),
            "accepted": of_arm.filter(action="accepted").get_column("unit").n_unique(),
            "adopted a computed keyword": used.filter(arm=arm.name).height,
        }
    by = {}
    for column in ("rank", "source", "reason"):
        counted = said.drop_nulls(column).group_by(column, "action").len().sort(column)
        values = counted.get_column(column).unique().sort().to_list()
        rows = []
        for value in values:
            found = dict(counted.filter(pl.col(column) == value).select("action", "len").iter_rows())
            rows.append((str(value), {action: int(found.get(action, 0)) for action in ACTIONS}))
        by[column] = rows
    return Funnel(steps, by)
