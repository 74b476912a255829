"""What a plan means, in words: both readings of its effect, what each costs, and what today's traffic can find."""

from __future__ import annotations

from collections.abc import Iterator

from scorers.experiments.duration import (
    Cost,
    compared_share,
    cost,
    ends_ms,
    enrolled,
    enrolment_weeks,
    plan_noise,
    planning_level,
    treated_share,
)
from scorers.experiments.frozen import checksum
from scorers.experiments.metrics import METRICS
from scorers.experiments.plan import BadPlan, Plan, Scale
from scorers.experiments.power import design_effect, mean_noise, power, smallest_effect, units_needed
from scorers.experiments.words import day

SCALES: tuple[Scale, Scale] = ("relative", "absolute")
_WEEKS = (1, 2, 4, 8, 13, 26)


def briefing(plan: Plan, late_ms: int) -> str:
    """The plan as text. A plan whose effect can't be reached says so rather than fail."""
    return "\n".join(_lines(plan, late_ms))


def detectable(plan: Plan, weeks: int) -> dict[Scale, float | None]:
    """The smallest effect that so many weeks of today's traffic find at the plan's power, on both scales."""
    noise = plan_noise(plan)
    units = enrolled(plan, weeks) * compared_share(plan)
    rate = METRICS[plan.metrics.primary].percent
    return {
        scale: smallest_effect(noise, scale, planning_level(plan), plan.power, units, treated_share(plan), rate)
        for scale in SCALES
    }


def looked_at(plan: Plan) -> int:
    """Weeks of enrolment that a power curve is drawn for: the plan's, or half a year when its effect takes too long."""
    try:
        return enrolment_weeks(plan)
    except BadPlan:
        return _WEEKS[-1]


def curve(plan: Plan, units: float, effects: list[float]) -> list[float]:
    """The power of each effect, on the plan's scale, with so many units in all arms."""
    used = units * compared_share(plan)
    noise = plan_noise(plan)
    return [
        power(noise, plan.effect.scale, effect, planning_level(plan), used, treated_share(plan)) for effect in effects
    ]


def _lines(plan: Plan, late_ms: int) -> Iterator[str]:
    metric = METRICS[plan.metrics.primary]
    base, margin = plan.baseline, plan.margins.campaigns_created
    yield f"# Plan of {plan.name}"
    yield ""
    yield f"Null hypothesis: {plan.null_hypothesis}."
    arms = ", ".join(f"{arm.name} {arm.share:.0%} ({_shown(arm.shows, arm.bundle)})" for arm in plan.arms)
    yield f"Arms, by {plan.unit}: {arms}; hold-out {plan.hold_out:.0%}; layer {plan.layer.name}."
    yield f"Primary metric: {metric.title.lower()} in the {plan.window_days} days after the first list was computed."
    yield f"Two-sided level {plan.level:g}, power {plan.power:.0%}; checksum {checksum(plan)[:12]}."
    yield ""
    yield "## What the effect costs"
    yield ""
    if metric.name == "purchase_rate":
        yield (
            f"{base.rate:.2%} of campaigns have a purchase. Campaigns of one {plan.unit} are alike: at "
            f"{base.campaigns_per_seller:.1f} campaigns each and a correlation of {base.intra_seller_correlation:.3f} "
            f"the design effect is {design_effect(base):.2f}."
        )
        yield ""
    yield f"| {plan.effect.size:g} read as | from | to | {plan.unit} units in all arms | weeks | days with the window |"
    yield "|---|---|---|---|---|---|"
    noise = plan_noise(plan)
    for scale in SCALES:
        if scale == "absolute" and metric.percent and noise.value + plan.effect.size >= 1:
            continue
        yield _row(plan, cost(plan, noise, scale), metric.percent)
    yield ""
    guarded = units_needed(
        mean_noise(base.created, base.created_deviation), "relative", margin, planning_level(plan), plan.power
    )
    yield (
        f"To show that campaigns created are not more than {margin:.0%} down takes {_count(guarded)} {plan.unit} units "
        "if nothing changes; with fewer, expect no go however well the primary metric does, or plan a wider margin."
    )
    yield ""
    yield (
        f"Today's traffic: {base.sellers_at_start:,} {plan.unit} units at once, {base.new_sellers_per_week:,} new ones "
        f"a week. This plan means **{plan.effect.scale}**."
    )
    yield ""
    yield "## What today's traffic can find"
    yield ""
    yield "| weeks of enrolment | units | smallest effect, relative | absolute |"
    yield "|---|---|---|---|"
    for weeks in _WEEKS:
        found = detectable(plan, weeks)
        relative = "none" if found["relative"] is None else f"{found['relative']:.1%}"
        absolute = "none" if found["absolute"] is None else _value(found["absolute"], metric.percent)
        yield f"| {weeks} | {enrolled(plan, weeks):,} | {relative} | {absolute} |"
    yield ""
    try:
        weeks = enrolment_weeks(plan)
    except BadPlan as why:
        yield f"**This plan can't be started as it is.** {why}."
        return
    yield (
        f"Units are taken in for {weeks} whole week(s) from {plan.start}; the experiment is judged "
        + ("at every look, " if plan.sequential else "once, ")
        + f"{'until' if plan.sequential else 'on'} {day(ends_ms(plan, late_ms))}, when the last window is over "
        "and late events are in."
    )


def _row(plan: Plan, what: Cost, percent: bool) -> str:
    size = f"{what.effect:.2%}" if what.scale == "relative" else _value(what.effect, percent)
    units = _count(what.units)
    weeks = "more than ten years" if what.weeks is None else f"{what.weeks:,}"
    days = "" if what.days is None else f"{what.days:,}"
    start = _value(plan_noise(plan).value, percent)
    return f"| {what.scale}, {size} | {start} | {_value(what.reached, percent)} | {units} | {weeks} | {days} |"


def _count(units: int | None) -> str:
    return "no number of" if units is None else f"{units:,}"


def _value(value: float, percent: bool) -> str:
    return f"{100 * value:.3f} %" if percent else f"{value:.4g}"


def _shown(shows: str, bundle: str | None) -> str:
    return f"{shows} of bundle {bundle}" if bundle else shows
