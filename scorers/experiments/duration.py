"""What an effect costs: units, and the days that today's traffic takes to bring them. Whole weeks, for days differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from infra.settings import DAY_MS
from scorers.experiments.plan import BadPlan, Plan, Scale
from scorers.experiments.power import Noise, mean_noise, rate_noise, units_needed
from scorers.experiments.sequential import radius

_LONGEST_WEEKS = 520


@dataclass(frozen=True)
class Cost:
    """What it takes to find one reading of the effect."""

    scale: Scale
    effect: float
    reached: float
    units: int | None
    weeks: int | None
    """Whole weeks of enrolment at today's traffic; None when it never suffices."""
    days: int | None
    """Enrolment and outcome window."""


def cost(plan: Plan, noise: Noise, scale: Scale) -> Cost:
    """Sample size and duration of the plan's effect, read as `scale`, for its smallest comparison of two arms."""
    effect = plan.effect.size
    needed = units_needed(noise, scale, effect, planning_level(plan), plan.power, treated_share(plan))
    total = None if needed is None else math.ceil(needed / compared_share(plan))
    weeks = None if total is None else weeks_until(plan, total)
    days = None if weeks is None else 7 * weeks + plan.window_days
    return Cost(scale, effect, noise.reached(scale, effect), total, weeks, days)


def plan_noise(plan: Plan) -> Noise:
    """What the plan's baseline says of its primary metric.

    Raises:
        BadPlan: the baseline does not say it.
    """
    if plan.metrics.primary == "purchase_rate":
        return rate_noise(plan.baseline)
    if plan.baseline.mean is None or plan.baseline.deviation is None:
        raise BadPlan(
            f"baseline: {plan.metrics.primary} needs baseline.mean and baseline.deviation (of the metric, a unit); "
            "or measure them: keypulse experiment plan FILE.yaml --history FOLDER"
        )
    return mean_noise(plan.baseline.mean, plan.baseline.deviation)


def compared_share(plan: Plan) -> float:
    """The share of all units that stand in the control and the smallest treatment."""
    return plan.control.share + min(arm.share for arm in plan.treatments)


def treated_share(plan: Plan) -> float:
    """The smallest treatment's share of its comparison with the control."""
    return min(arm.share for arm in plan.treatments) / compared_share(plan)


def level_of(plan: Plan) -> float:
    """The level of each comparison: several treatments share the plan's (Bonferroni)."""
    return plan.level / len(plan.treatments)


def planning_level(plan: Plan) -> float:
    """The level of the fixed test that is as strict as the last look: a sequence pays for its looks with units."""
    level = level_of(plan)
    return 2 * float(stats.norm.sf(radius(1.0, 1.0, level))) if plan.sequential else level


def enrolled(plan: Plan, weeks: int) -> int:
    """Units that traffic brings to the experiment in so many weeks, less hold-out and other parts of the layer."""
    arriving = plan.baseline.sellers_at_start + plan.baseline.new_sellers_per_week * (weeks - 1)
    return int(arriving * (1 - plan.hold_out) * (plan.layer.end - plan.layer.begin))


def weeks_until(plan: Plan, units: int) -> int | None:
    """The first whole number of weeks that brings so many units, None after ten years."""
    return next((weeks for weeks in range(1, _LONGEST_WEEKS + 1) if enrolled(plan, weeks) >= units), None)


def enrolment_weeks(plan: Plan) -> int:
    """Whole weeks in which units are taken in: as the plan says, else as many as its effect takes.

    Raises:
        BadPlan: the plan doesn't say, and today's traffic never suffices.
    """
    if plan.weeks is not None:
        return plan.weeks
    needed = cost(plan, plan_noise(plan), plan.effect.scale)
    if needed.weeks is None:
        raise BadPlan(
            f"effect.size: {plan.effect.size:g} {plan.effect.scale} takes {_counted(needed.units)} units, which "
            "today's traffic does not bring in ten years; plan a larger effect, or say how "
            "many weeks to run with what it can find: weeks: 4"
        )
    return needed.weeks


def _counted(units: int | None) -> str:
    return "more than any number of" if units is None else f"{units:,}"


def enrolment_ends_ms(plan: Plan) -> int:
    """The end of the last whole week of enrolment, ms."""
    return plan.start_ms + enrolment_weeks(plan) * 7 * DAY_MS


def ends_ms(plan: Plan, late_ms: int) -> int:
    """When the last unit's window is over and its late corrections are in, ms."""
    return enrolment_ends_ms(plan) + plan.window_ms + late_ms


def planned_units(plan: Plan) -> int:
    """Units that the enrolment brings at the baseline's traffic."""
    return enrolled(plan, enrolment_weeks(plan))
