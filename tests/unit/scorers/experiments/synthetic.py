"""An experiment's tables, drawn so that the truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from infra.settings import DAY_MS, MINUTE_MS
from scorers.experiments.assignment import assign
from scorers.experiments.plan import Plan, parse
from scorers.experiments.tables import Tables

PLAN = """
name: boots
start: 2031-01-06
effect: {scale: relative, size: 0.2}
metrics: {primary: purchase_rate}
weeks: 4
arms:
  - {name: control, share: 0.5, shows: nothing}
  - {name: suggestions, share: 0.5, shows: suggestions}
baseline: {rate: 0.25, campaigns_per_seller: 3, sellers_at_start: 1500, new_sellers_per_week: 200}
"""


def plan_text(text: str = "") -> str:
    """The plan above, with lines of `text` in place of those of the same field."""
    fields = {line.split(":")[0] for line in text.splitlines() if line and not line.startswith(" ")}
    kept: list[str] = []
    dropping = False
    for line in PLAN.splitlines():
        if not line.startswith(" "):
            dropping = line.split(":")[0] in fields
        if not dropping:
            kept.append(line)
    return "\n".join([*kept, text])


def plan(text: str = "") -> Plan:
    """What `plan_text` says."""
    return parse(plan_text(text), "plan.yaml")


def tables(
    of: Plan,
    sellers: int = 2_000,
    seed: int = 1,
    lift: float = 0.0,
    uptake: tuple[float, float] = (0.05, 0.4),
    created: tuple[float, float] = (1.0, 1.0),
) -> Tables:
    """Sellers exposed over four weeks; those who use a suggestion sell `1 + lift` times as much."""
    rng = np.random.default_rng(seed)
    exposures, campaigns, outcomes, adoptions, feedback = [], [], [], [], []
    for number in range(sellers):
        seller = f"s{number}"
        arm = assign(of, seller)
        if arm is None or arm == "hold-out":
            continue
        treated = next(one for one in of.arms if one.name == arm).shows == "suggestions"
        exposed_at = of.start_ms + int(rng.integers(0, 28 * DAY_MS)) // MINUTE_MS * MINUTE_MS
        own = rng.gamma(4, 0.25)
        uses = rng.random() < min(1, uptake[treated] * own)
        ids = [f"{seller}-{k}" for k in range(1 + rng.poisson(2))]
        born = [exposed_at - int(rng.integers(1, 60 * DAY_MS)) for _ in ids]
        new = rng.poisson(created[treated])
        ids += [f"{seller}-n{k}" for k in range(new)]
        born += [exposed_at + 1 + int(rng.integers(0, 14 * DAY_MS)) for _ in range(new)]
        category = f"category {rng.integers(3)}"
        for campaign, created_at in zip(ids, born, strict=True):
            campaigns.append((campaign, seller, category, created_at))
            if created_at <= exposed_at:
                exposures.append((seller, arm, campaign, exposed_at, ["red boots", "boots"]))
            for begins, rate in ((exposed_at - 14 * DAY_MS, 0.3), (exposed_at, 0.3 * (1 + lift * uses))):
                for _ in range(rng.poisson(rate * own)):
                    at = begins + int(rng.integers(0, 14 * DAY_MS)) // MINUTE_MS * MINUTE_MS
                    if at < created_at:
                        continue
                    outcomes.append((campaign, at, 1 + rng.poisson(2), 1, round(rng.lognormal(7, 0.8))))
        if uses:
            adoptions.append((ids[0], "boots", exposed_at + DAY_MS))
        if treated:
            feedback.append((ids[0], exposed_at + 1_000, "shown", 1, "dense", "rising"))
            if uses:
                feedback.append((ids[0], exposed_at + DAY_MS, "accepted", 1, "dense", "rising"))
    return Tables.checked(
        exposures=_frame(exposures, unit=str, arm=str, campaign=str, exposed_at=int, keywords=list[str]),
        campaigns=_frame(campaigns, campaign=str, unit=str, category=str, created_at=int),
        outcomes=_frame(outcomes, campaign=str, at=int, clicks=int, purchases=int, revenue=float),
        adoptions=_frame(adoptions, campaign=str, keyword=str, at=int),
        feedback=_frame(feedback, campaign=str, at=int, action=str, rank=int, source=str, reason=str),
    )


def _frame(rows: list[tuple[object, ...]], **columns: object) -> pl.DataFrame:
    kinds = {str: pl.String, int: pl.Int64, float: pl.Float64}
    schema = {name: kinds.get(kind, pl.List(pl.String)) for name, kind in columns.items()}
    return pl.DataFrame(rows, schema=schema, orient="row")
