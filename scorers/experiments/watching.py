"""What is watched while an experiment runs: units where they should be, and nothing harmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from scorers.experiments.assignment import assign
from scorers.experiments.estimates import Estimate
from scorers.experiments.plan import Plan
from scorers.experiments.tables import Tables

ALARM_LEVEL = 0.001
"""Of the tests that ask whether the experiment itself is sound (Fabijan et al., KDD 2019, use .0005 to .001)."""


@dataclass(frozen=True)
class Balance:
    """A test of units against what was planned."""

    by_arm: dict[str, int]
    p_value: float

    @property
    def alarm(self) -> bool:
        return self.p_value < ALARM_LEVEL


def sample_ratio(plan: Plan, exposures: pl.DataFrame) -> Balance:
    """Exposed units per arm against the planned shares (chi-squared). Units, for they are what was assigned."""
    seen = dict(exposures.group_by("arm").len().iter_rows())
    counts = {arm.name: int(seen.get(arm.name, 0)) for arm in plan.arms}
    total = sum(counts.values())
    if not total:
        return Balance(counts, 1.0)
    expected = [arm.share * total for arm in plan.arms]
    return Balance(counts, float(stats.chisquare(list(counts.values()), expected).pvalue))


def exposure_balance(plan: Plan, tables: Tables) -> Balance:
    """Of the units assigned to each arm, how many never had a list computed; lists are computed alike in all arms."""
    units = tables.campaigns.get_column("unit").unique()
    arms = pl.DataFrame(
        {"unit": units, "arm": [assign(plan, unit) for unit in units]}, schema_overrides={"arm": pl.String}
    )
    assigned = arms.filter(pl.col("arm").is_in([arm.name for arm in plan.arms]))
    missed = assigned.join(tables.exposures, on="unit", how="anti")
    total, without = (dict(frame.group_by("arm").len().iter_rows()) for frame in (assigned, missed))
    counts = {arm.name: int(without.get(arm.name, 0)) for arm in plan.arms}
    table = np.array([[counts[name], int(total.get(name, 0)) - counts[name]] for name in counts])
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return Balance(counts, 1.0)
    return Balance(counts, float(stats.chi2_contingency(table).pvalue))


def breached(created: Estimate | None, margin: float) -> bool:
    """Whether the treatment surely creates fewer campaigns than the margin allows: its arm is to be stopped."""
    return created is not None and created.relative.high < -margin
