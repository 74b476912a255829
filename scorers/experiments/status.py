"""How far a running experiment is, and whether something must be done. Says nothing of the primary metric's effect."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from infra import metrics
from infra.settings import DAY_MS
from scorers.experiments.collection import gaps
from scorers.experiments.duration import ends_ms, level_of, planned_units
from scorers.experiments.estimates import Estimate, NothingToEstimate, estimate
from scorers.experiments.frozen import Started
from scorers.experiments.metrics import GUARDRAIL
from scorers.experiments.plan import Plan
from scorers.experiments.sequential import widened
from scorers.experiments.stops import Stop, stops_of
from scorers.experiments.tables import Tables
from scorers.experiments.units import exposed, final, moments, unit_sums
from scorers.experiments.watching import Balance, breached, exposure_balance, sample_ratio
from scorers.experiments.words import bounds, day, moment, p_value


@dataclass(frozen=True)
class Status:
    """An experiment as of a moment."""

    exposed: Balance
    missed: Balance
    final: dict[str, int]
    guardrail: dict[str, Estimate]
    """Campaigns created, by treatment; always by the confidence sequence, for it is looked at daily."""
    harmful: list[str]
    """Arms that breach their guardrail and are not stopped yet."""
    stops: dict[str, Stop]
    """By treatment."""
    alarms: list[str]
    text: str


def status_of(started: Started, tables: Tables, as_of_ms: int, late_ms: int) -> Status:
    """Look at an experiment without looking at its result.

    Raises:
        BadTables: exposures don't fit the plan or are none.
        Tampered: a stop cannot be read.
    """
    plan = started.plan
    stops = {arm: one for arm, one in stops_of(started.folder).items() if one.at <= as_of_ms}
    ends = ends_ms(plan, late_ms)
    exposures = exposed(plan, tables, as_of_ms)
    done = final(plan, exposures, as_of_ms, late_ms)
    counts = dict(done.group_by("arm").len().iter_rows())
    units = {arm.name: int(counts.get(arm.name, 0)) for arm in plan.arms}
    ratio, missed = sample_ratio(plan, exposures), exposure_balance(plan, tables)
    guardrail, unjudged = _guardrail(plan, tables, done)
    alarms = []
    if started.changed:
        alarms.append(f"the plan was changed after its start: {', '.join(started.changed)}")
    alarms += [f"outcomes are missing: {gap}" for gap in gaps(started.tables)]
    if ratio.alarm:
        alarms.append(
            f"exposed units don't fit the planned shares (p = {ratio.p_value:.2g}): find the fault, start anew"
        )
    if missed.alarm:
        alarms.append(f"lists are not computed alike in all arms (p = {missed.p_value:.2g}): check workers")
    margin = plan.margins.campaigns_created
    harmful = [name for name, one in guardrail.items() if breached(one, margin) and name not in stops]
    alarms += [
        f"{name} creates surely more than {margin:.1%} fewer campaigns: stop this arm "
        f"(keypulse experiment stop {plan.name} --arm {name})"
        for name in harmful
    ]
    if stops and as_of_ms >= ends:
        alarms.append(
            f"over, and stands since an arm was stopped: decide by its report, then take {started.folder} away"
        )
    left = max(0, -(-(ends - as_of_ms) // DAY_MS))
    lines = [
        f"{plan.name} as of {day(as_of_ms)}: ends {day(ends)}, {left} day(s) left",
        "exposed  " + _counts(ratio.by_arm) + f"  (p {p_value(ratio.p_value)}; planned {planned_units(plan):,} in all)",
        "final    " + _counts(units),
        "missed   " + _counts(missed.by_arm) + f"  (p {p_value(missed.p_value)})",
        *(f"{GUARDRAIL.title.lower()}, {name}: {bounds(one.relative)}" for name, one in guardrail.items()),
        *(f"{GUARDRAIL.title.lower()}, {name}: not judged ({why})" for name, why in unjudged.items()),
        *(
            f"stopped  {one.arm} since {moment(one.at)} by the {one.by}{one.reason and f': {one.reason}'}; "
            f"it shows what {plan.control.name} does"
            for one in stops.values()
        ),
        *(f"ALARM: {alarm}" for alarm in alarms),
    ]
    return Status(ratio, missed, units, guardrail, harmful, stops, alarms, "\n".join(lines))


def in_json(status: Status) -> str:
    """A status for scripts. Counts are of units, by arm."""
    return json.dumps(
        {
            "alarms": status.alarms,
            "exposed": status.exposed.by_arm,
            "final": status.final,
            "missed": status.missed.by_arm,
            "p_values": {"sample_ratio": status.exposed.p_value, "exposure": status.missed.p_value},
            "stopped": sorted(status.stops),
        },
        indent=1,
    )


def show(status: Status, experiment: str) -> None:
    """Set the metrics of an experiment."""
    metrics.EXPERIMENT_ALARMS.labels(experiment).set(len(status.alarms))
    for arm, count in status.exposed.by_arm.items():
        metrics.EXPERIMENT_UNITS.labels(experiment, arm).set(count)
    for check, balance in (("sample ratio", status.exposed), ("exposure", status.missed)):
        metrics.EXPERIMENT_P_VALUE.labels(experiment, check).set(balance.p_value)
    for arm in status.exposed.by_arm:
        metrics.EXPERIMENT_STOPPED.labels(experiment, arm).set(arm in status.stops)
    for arm, one in status.guardrail.items():
        metrics.EXPERIMENT_GUARDRAIL_UPPER.labels(experiment, arm).set(one.relative.high)


def _guardrail(plan: Plan, tables: Tables, done: pl.DataFrame) -> tuple[dict[str, Estimate], dict[str, str]]:
    """The guardrail by treatment; and where it cannot be judged, why."""
    sums = unit_sums(plan, tables, done)
    control, level = moments(sums, plan.control.name), level_of(plan)
    judged, unjudged = {}, {}
    for arm in plan.treatments:
        try:
            found = estimate(control, moments(sums, arm.name), GUARDRAIL, level, plan.cuped)
            judged[arm.name] = widened(found, done.height, planned_units(plan), level)
        except NothingToEstimate as why:
            unjudged[arm.name] = str(why)
    return judged, unjudged


def _counts(by_arm: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in by_arm.items())
