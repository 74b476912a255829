"""One row for each exposed unit: the sums that every metric is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from infra.settings import DAY_MS, MINUTE_MS
from scorers.experiments.duration import enrolment_ends_ms
from scorers.experiments.moments import Moments
from scorers.experiments.plan import Plan
from scorers.experiments.tables import Tables, check_arms

COLUMNS = (
    "campaigns",
    "bought",
    "bought_before",
    "purchases_existing",
    "purchases",
    "purchases_before",
    "revenue",
    "revenue_winsorised",
    "revenue_before",
    "created",
    "created_before",
    "clicks",
    "clicks_before",
    "used",
    "used_campaigns",
)
"""Of a unit, in the outcome window that begins with its exposure (`_before`: in the one that ends there).

`campaigns` existed at exposure; `bought` of them had a purchase; `purchases_existing` are theirs, `purchases` all.
`used` is 1 when a computed keyword was adopted, `used_campaigns` then the `campaigns`.
"""


def exposed(plan: Plan, tables: Tables, as_of_ms: int) -> pl.DataFrame:
    """unit, arm, exposed_at (the first list of any of its campaigns) of those exposed while units were enrolled.

    In whole minutes, rounded up, for outcomes are counted by the minute. Sorted by time, then unit; none after
    `as_of_ms`.

    Raises:
        BadTables: the exposures fit no plan (`check_arms`).
    """
    check_arms(plan, tables.exposures)
    known = pl.col("exposed_at") <= as_of_ms
    minute = -(-pl.col("exposed_at").min() // MINUTE_MS) * MINUTE_MS
    first = tables.exposures.group_by("unit").agg(pl.col("arm").first(), minute)
    enrolled = pl.col("exposed_at").is_between(plan.start_ms, enrolment_ends_ms(plan), closed="left")
    of_plan = pl.col("arm").is_in([arm.name for arm in plan.arms])
    return first.filter(of_plan & enrolled & known).sort("exposed_at", "unit")


def final(plan: Plan, exposures: pl.DataFrame, as_of_ms: int, late_ms: int) -> pl.DataFrame:
    """Those whose window is over and whose late corrections are in."""
    return exposures.filter(pl.col("exposed_at") + plan.window_ms + late_ms <= as_of_ms)


def unit_sums(
    plan: Plan,
    tables: Tables,
    exposures: pl.DataFrame,
    days: int | None = None,
    campaigns: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The exposed units with all of `COLUMNS`, whole numbers but for revenue.

    `days` counts only the first days of the window; `campaigns` only these campaigns (a segment).
    """
    window = plan.window_ms if days is None else days * DAY_MS
    chosen = tables.campaigns if campaigns is None else campaigns
    known = chosen.join(exposures.select("unit", "exposed_at"), on="unit")
    age = pl.col("at") - pl.col("exposed_at")
    inside, before = (age >= 0) & (age < window), (age < 0) & (age >= -plan.window_ms)
    existing = pl.col("created_at") <= pl.col("exposed_at")
    place = known.select("campaign", "unit", "created_at", "exposed_at")

    counted = tables.outcomes.join(place, on="campaign").with_columns(inside.alias("in"), before.alias("before"))
    of_campaigns = counted.group_by("unit", "campaign").agg(
        existing.first().alias("existing"),
        *(
            pl.col(what).filter(when).sum().alias(f"{what}_{when}")
            for what in ("clicks", "purchases", "revenue")
            for when in ("in", "before")
        ),
    )
    amounts = of_campaigns.group_by("unit").agg(
        pl.col("purchases_in").filter("existing").sum().alias("purchases_existing"),
        pl.col("purchases_in").sum().alias("purchases"),
        pl.col("purchases_before").sum(),
        pl.col("revenue_in").sum().alias("revenue"),
        pl.col("revenue_before").sum(),
        pl.col("clicks_in").sum().alias("clicks"),
        pl.col("clicks_before").sum(),
        (pl.col("existing") & (pl.col("purchases_in") > 0)).sum().alias("bought"),
        (pl.col("existing") & (pl.col("purchases_before") > 0)).sum().alias("bought_before"),
    )
    born = pl.col("created_at") - pl.col("exposed_at")
    held = known.group_by("unit").agg(
        existing.sum().alias("campaigns"),
        ((born > 0) & (born < window)).sum().alias("created"),
        ((born <= 0) & (born > -plan.window_ms)).sum().alias("created_before"),
    )
    computed = tables.exposures.select("campaign", pl.col("exposed_at").alias("computed_at"), "keywords")
    used = (
        tables.adoptions.join(place, on="campaign")
        .join(computed, on="campaign")
        .filter(inside & (pl.col("at") >= pl.col("computed_at")))
        .filter(pl.col("keyword").is_in(pl.col("keywords")))
        .select("unit", pl.lit(1).alias("used"))
        .unique()
    )
    frame = exposures
    for part in (held, amounts, used):
        frame = frame.join(part, on="unit", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("revenue").fill_null(0.0).alias("revenue_winsorised")).fill_null(0)
    frame = frame.with_columns((pl.col("used") * pl.col("campaigns")).alias("used_campaigns"))
    cap = frame.get_column("revenue").quantile(plan.winsorise, "linear")
    return frame.with_columns(
        pl.col("revenue_winsorised").clip(upper_bound=cap) if cap is not None else pl.col("revenue_winsorised")
    ).select("unit", "arm", "exposed_at", *(pl.col(column).cast(pl.Float64) for column in COLUMNS))


def moments(sums: pl.DataFrame, arm: str, columns: Sequence[str] = COLUMNS) -> Moments:
    """The sufficient statistics of an arm. An arm of fewer than two units has no covariance (nan)."""
    values = sums.filter(pl.col("arm") == arm).select(columns).to_numpy().astype(np.float64)
    if len(values) < 2:
        mean = values.mean(axis=0) if len(values) else np.zeros(len(columns))
        nothing = np.full((len(columns), len(columns)), np.nan)
        return Moments(tuple(columns), np.array(float(len(values))), mean, nothing)
    return Moments.of(columns, values)
