"""After the launch, week by week: do sellers pick suggestions, and do those who are offered them sell more?

The comparison is with the standing hold-out where the plan has one, else with the control. A week counts the units that
were exposed before it began, and what all their campaigns sold in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from infra.settings import DAY_MS
from scorers.experiments.estimates import NothingToEstimate, estimate
from scorers.experiments.funnel import ACTIONS
from scorers.experiments.metrics import BESIDE_PRIMARY
from scorers.experiments.plan import HOLD_OUT, Plan
from scorers.experiments.stops import Stop
from scorers.experiments.tables import Tables, check_any
from scorers.experiments.units import moments, unit_sums
from scorers.experiments.words import bounds, day, moment

_WEEK_MS = 7 * DAY_MS
_HEAD = ("week from", "units", "without", "shown", "accepted", "dismissed", "accepted of shown", "purchases a unit")


def weekly(plan: Plan, tables: Tables, as_of_ms: int, late_ms: int, stops: Mapping[str, Stop] | None = None) -> str:
    """Markdown: a row for each whole week since the start whose late corrections are in.

    The intervals are of one week each and not corrected for the number of weeks. `stops`: by arm, those stopped.

    Raises:
        BadTables: no unit was exposed.
    """
    check_any(tables.exposures)
    first = tables.exposures.group_by("unit").agg(pl.col("arm").first(), pl.col("exposed_at").min())
    held_out = first.filter(arm=HOLD_OUT).height > 0
    offered = [arm.name for arm in plan.arms if arm.shows == "suggestions"]
    without = HOLD_OUT if held_out else plan.control.name
    lines = [
        f"# {plan.name}, week by week",
        "",
        f"Units offered suggestions against {without}; as of {day(as_of_ms)}. Each interval is of its own week.",
        *(
            f"{arm} was stopped on {moment(one.at)}: it is offered nothing more than {plan.control.name} from then on."
            for arm, one in (stops or {}).items()
            if one.at <= as_of_ms
        ),
        "",
        "| " + " | ".join(_HEAD) + " |",
        "|" + "---|" * len(_HEAD),
    ]
    begins = plan.start_ms
    while begins + _WEEK_MS + late_ms <= as_of_ms:
        lines.append("| " + " | ".join(_week(plan, tables, first, begins, offered, without)) + " |")
        begins += _WEEK_MS
    return "\n".join(lines) + "\n"


def _week(
    plan: Plan, tables: Tables, first: pl.DataFrame, begins: int, offered: list[str], without: str
) -> tuple[str, ...]:
    arm = pl.when(pl.col("arm").is_in(offered)).then(pl.lit("offered")).otherwise(pl.col("arm"))
    units = (
        first.filter((pl.col("exposed_at") < begins) & pl.col("arm").is_in([*offered, without]))
        .select("unit", arm.alias("arm"), pl.lit(begins, pl.Int64).alias("exposed_at"))
        .sort("unit")
    )
    inside = tables.feedback.filter((pl.col("at") >= begins) & (pl.col("at") < begins + _WEEK_MS))
    said = dict(inside.group_by("action").len().iter_rows())
    counts = {action: int(said.get(action, 0)) for action in ACTIONS}
    share = f"{counts['accepted'] / counts['shown']:.1%}" if counts["shown"] else ""
    return (
        day(begins),
        f"{units.filter(arm='offered').height:,}",
        f"{units.filter(arm=without).height:,}",
        *(f"{counts[action]:,}" for action in ACTIONS),
        share,
        _effect(plan, tables, units, without),
    )


def _effect(plan: Plan, tables: Tables, units: pl.DataFrame, without: str) -> str:
    sums = unit_sums(plan, tables, units, days=7)
    try:
        found = estimate(moments(sums, without), moments(sums, "offered"), BESIDE_PRIMARY, plan.level)
    except NothingToEstimate:
        return "too little to tell"
    return bounds(found.relative)
