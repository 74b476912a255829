"""What a report says, in the order in which a manager asks."""

from __future__ import annotations

import math
from collections.abc import Iterator

from scorers.experiments.analysis import Analysis, Comparison
from scorers.experiments.briefing import curve
from scorers.experiments.estimates import Estimate, Interval
from scorers.experiments.frozen import Started
from scorers.experiments.instrument import EXCLUSION, LEAST_F, ComplierEffect
from scorers.experiments.metrics import METRICS, Metric
from scorers.experiments.plan import Plan
from scorers.experiments.report.blocks import Block, Heading, Plot, Rows, Text, Verdict
from scorers.experiments.report.plots import day_plot, effect_plot, funnel_plot, power_plot
from scorers.experiments.stops import Stop
from scorers.experiments.watching import ALARM_LEVEL, Balance
from scorers.experiments.words import bounds, day, moment, p_value, share

LIMITS = (
    "Sellers bid against each other for the places on a page. Treated sellers take auctions from controls, so that the "
    "difference between the arms is more than all would gain if all were treated: `keypulse experiment validate` "
    "prints by how much on simulated markets. A plan with `unit: category` keeps rivals in one arm, with fewer units."
)


def content(started: Started, analysis: Analysis) -> list[Block]:
    """The report as blocks."""
    return list(_blocks(started, analysis))


def _blocks(started: Started, analysis: Analysis) -> Iterator[Block]:
    plan = analysis.plan
    yield Heading(1, f"Experiment {plan.name}")
    yield Text(
        f"As of {day(analysis.as_of_ms)}; units were taken in from {plan.start}; the last window is over on "
        f"{day(analysis.ends_ms)}. Null hypothesis: {plan.null_hypothesis}."
    )
    if started.changed:
        yield Text(
            f"**The plan was changed after its start: {', '.join(started.changed)}.** What follows is by the changed "
            f"plan and was not fixed beforehand (checksum at the start {started.frozen.checksum[:12]})."
        )
    for one in analysis.comparisons:
        yield from _comparison(plan, analysis, one)
    yield from _soundness(plan, analysis)
    yield Heading(2, "Limits")
    yield Text(LIMITS)
    if not plan.sequential:
        yield Text(
            "The plan is fixed: it is judged once. Going on after a look until the interval leaves 0 would find "
            "effects that are not there."
        )
    yield Text(
        f"Plan checksum {started.frozen.checksum}, frozen {day(started.frozen.frozen_at)}. Method and sources: "
        "docs/experiments.md."
    )


def _comparison(plan: Plan, analysis: Analysis, one: Comparison) -> Iterator[Block]:
    metric, decision = one.primary.metric, one.decision
    effect = one.primary.on(plan.effect.scale)
    yield Heading(2, f"{one.arm.name} against {plan.control.name}")
    yield Verdict(decision.verdict, f"{decision.words} Decided by: {decision.rule}.")
    if one.stop is not None:
        yield Text(_stopped(plan, analysis, one, one.stop))
    yield Text(_headline(plan, one))
    if one.more_days is not None:
        yield Text(f"At today's pace about **{one.more_days} more days** would be enough to find the planned effect.")
    shown = [one.primary, *one.others.values(), *one.secondary.values()]
    drawn = [(item.metric.title, item) for item in shown if item.metric.name != "adoption"]  # the funnel shows it
    planned = plan.effect.size if plan.effect.scale == "relative" else None
    yield Plot(
        effect_plot(drawn, planned, plan.margins.campaigns_created),
        f"Relative effect of {one.arm.name} with {1 - one.level:.0%} intervals.",
    )
    yield _table(plan, one)
    for name, why in one.left_out.items():
        yield Text(f"{METRICS[name].title}: not estimated. {why}.")
    unit = _unit(plan, metric)
    finite = [(number, item.on(plan.effect.scale)) for number, item in one.by_day]
    if days := [(number, interval) for number, interval in finite if _finite(interval)]:
        in_percent = plan.effect.scale == "relative" or metric.percent
        yield Plot(
            day_plot(days, plan.effect.size, in_percent, unit),
            "Effect on the primary metric when only the first days after exposure count, without the pre-period.",
        )
    yield Heading(3, "Power reached")
    yield Text(
        f"An experiment as precise as this one finds the planned effect with a power of **{one.power:.0%}** "
        f"(planned: {plan.power:.0%})."
    )
    units = sum(analysis.units.values())
    if metric.name == "purchase_rate":
        most = 2.5 * max(plan.effect.size, abs(effect.high - effect.low) / 2 if _finite(effect) else 0)
        effects = [most * step / 60 for step in range(1, 61)]
        yield Plot(
            power_plot(effects, curve(plan, units, effects), plan.effect.size, plan.power, unit),
            f"Power by true effect with {units:,} units, from the plan's baseline.",
        )
    yield from _use(plan, one)
    yield Heading(3, "Adoption")
    yield Plot(funnel_plot(analysis.funnel.steps), "Units by how far suggestions came. The control is shown nothing.")
    for by, rows in analysis.funnel.by.items():
        if rows:
            yield Rows(
                [by, *rows[0][1]], [[name, *(f"{count:,}" for count in counts.values())] for name, counts in rows]
            )
    if one.segments:
        yield Heading(3, "Segments (exploratory)")
        yield Text("Not corrected for their number: a segment that stands out is an idea for a next plan, no finding.")
        yield Rows(
            ["segment", "effect (interval)"],
            [[f"{by}: {name}", bounds(item.relative)] for by, name, item in one.segments],
        )


def _stopped(plan: Plan, analysis: Analysis, one: Comparison, stop: Stop) -> str:
    reason = f": {stop.reason}" if stop.reason else ""
    return (
        f"**{one.arm.name} was stopped on {moment(stop.at)} by the {stop.by}**{reason}. From then on its units were "
        f"shown what {plan.control.name} shows, so that outcomes after it are of mixed treatment: those of "
        f"{one.mixed:,} of {analysis.units[one.arm.name]:,} units. All are judged as they were assigned (intention to "
        "treat), which makes the arms look more alike than the treatment made them."
    )


def _headline(plan: Plan, one: Comparison) -> str:
    metric = one.primary.metric
    return (
        f"{metric.title}: {_value(one.primary.treatment, metric)} with {one.arm.name}, "
        f"{_value(one.primary.control, metric)} without; **{bounds(one.primary.relative)}** relative, planned were "
        f"{_size(plan)} {plan.effect.scale}. All exposed {plan.unit} units count, whether or not they used a "
        "suggestion (intention to treat)."
    )


def _table(plan: Plan, one: Comparison) -> Rows:
    rows = [_row("primary", one.primary, None), _row("without pre-period", one.plain, None)]
    rows += [_row("", item, None) for item in one.others.values()]
    rows += [_row("secondary", item, one.adjusted.get(name)) for name, item in one.secondary.items()]
    confidence = f"{1 - one.level:.0%} interval, relative"
    return Rows(["metric", "control", "treatment", confidence, "p", "p, adjusted"], rows)


def _row(role: str, item: Estimate, adjusted: float | None) -> list[str]:
    name = f"{item.metric.title}{f' ({role})' if role else ''}"
    return [
        name,
        _value(item.control, item.metric),
        _value(item.treatment, item.metric),
        bounds(item.relative),
        "" if math.isnan(item.p_value) else p_value(item.p_value),
        "" if adjusted is None else p_value(adjusted),
    ]


def _use(plan: Plan, one: Comparison) -> Iterator[Block]:
    if one.complier is None:
        return
    complier, metric = one.complier, one.primary.metric
    yield Heading(3, "The effect of using a suggestion")
    yield Text(
        f"{complier.used_treatment:.1%} of {one.arm.name} and {complier.used_control:.1%} of {plan.control.name} "
        f"adopted a computed keyword (weighted as in the metric; first stage F = {complier.first_stage_f:.1f})."
    )
    interval = _complier_words(complier, metric)
    if complier.value is None:
        yield Text(
            f"Too few followed their assignment for a point estimate (F below {LEAST_F:g}); the Anderson-Rubin "
            f"interval is {interval}."
        )
    else:
        yield Text(
            f"Those who use suggestions because they are offered gain **{_change(complier.value, metric)}** "
            f"(Anderson-Rubin interval {interval})."
        )
    yield Text(EXCLUSION)
    if one.naive is not None:
        text = f"Comparing users with the control would say {_change(one.naive.difference, metric)}"
        if one.naive.beyond is not None:
            text += f", which is {_change(one.naive.beyond, metric)} beside the effect of use"
        yield Text(text + ". It misleads: sellers choose to use suggestions, and those who do sell differently anyway.")


def _complier_words(complier: ComplierEffect, metric: Metric) -> str:
    if not math.isfinite(complier.low):
        return "all numbers: nothing is excluded"
    low, high = _change(complier.low, metric), _change(complier.high, metric)
    return f"everything up to {low} and from {high}" if complier.outside else f"{low} to {high}"


def _soundness(plan: Plan, analysis: Analysis) -> Iterator[Block]:
    yield Heading(2, "Is the experiment sound?")
    yield Rows(
        ["check", *(arm.name for arm in plan.arms), "p", "alarm"],
        [
            _balance("exposed units against planned shares", analysis.enrolled),
            _balance("assigned units without a computed list", analysis.exposure),
            ["units whose window is over", *(f"{analysis.units[arm.name]:,}" for arm in plan.arms), "", ""],
        ],
    )
    yield Text(f"An alarm is p < {ALARM_LEVEL:g}; then no difference between the arms can be trusted.")


def _balance(name: str, balance: Balance) -> list[str]:
    counts = (f"{count:,}" for count in balance.by_arm.values())
    return [name, *counts, p_value(balance.p_value), "**ALARM**" if balance.alarm else "none"]


def _value(value: float, metric: Metric) -> str:
    return f"{100 * value:.2f} %" if metric.percent else f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _change(value: float, metric: Metric) -> str:
    return f"{100 * value:+.2f} points" if metric.percent else f"{value:+,.3f}"


def _size(plan: Plan) -> str:
    metric = METRICS[plan.metrics.primary]
    return share(plan.effect.size) if plan.effect.scale == "relative" else _change(plan.effect.size, metric)


def _unit(plan: Plan, metric: Metric) -> str:
    if plan.effect.scale == "relative":
        return "% of the control"
    return "percentage points" if metric.percent else "in the metric's unit"


def _finite(interval: Interval) -> bool:
    return math.isfinite(interval.low) and math.isfinite(interval.high)
