"""All that a report says of an experiment, computed once from its plan and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from infra.settings import DAY_MS
from scorers.experiments import metrics as catalogue
from scorers.experiments.decision import Decision, Evidence, decide
from scorers.experiments.duration import ends_ms, level_of, planned_units
from scorers.experiments.estimates import Estimate, NothingToEstimate, adjusted, estimate, power_at
from scorers.experiments.funnel import Funnel, funnel
from scorers.experiments.instrument import ComplierEffect, complier_effect
from scorers.experiments.metrics import METRICS, Metric
from scorers.experiments.moments import Moments
from scorers.experiments.plan import Arm, Plan
from scorers.experiments.sequential import radius, widened
from scorers.experiments.stops import Stop
from scorers.experiments.tables import Tables
from scorers.experiments.units import exposed, final, moments, unit_sums
from scorers.experiments.watching import Balance, exposure_balance, sample_ratio

LEAST_SEGMENT_UNITS = 20
"""In each arm; a smaller segment is not shown."""


@dataclass(frozen=True)
class Naive:
    """Users against the whole control: what a comparison of those who chose would say."""

    difference: float
    beyond: float | None
    """More than the effect of use; None when that has no point estimate."""


@dataclass(frozen=True)
class Comparison:
    """One treatment against the control."""

    arm: Arm
    level: float
    primary: Estimate
    plain: Estimate
    """The primary without the pre-period."""
    others: dict[str, Estimate]
    """Guardrail, north star and what always stands beside the primary, by name."""
    secondary: dict[str, Estimate]
    adjusted: dict[str, float]
    """P-values of the secondary metrics, adjusted for their number; empty in a sequential plan."""
    left_out: dict[str, str]
    """Metrics that could not be estimated, and why."""
    by_day: list[tuple[int, Estimate]]
    """The primary counting only the first so many days after exposure."""
    segments: list[tuple[str, str, Estimate]]
    complier: ComplierEffect | None
    naive: Naive | None
    power: float
    stop: Stop | None
    mixed: int
    """Units of the arm that had it for a part of their window only, or not at all, since it was stopped."""
    decision: Decision
    more_days: int | None
    """Until the sequence would be tight enough to find the planned effect; only of an undecided sequential plan."""


@dataclass(frozen=True)
class Analysis:
    """An experiment as of a moment."""

    plan: Plan
    as_of_ms: int
    ends_ms: int
    enrolled: Balance
    exposure: Balance
    units: dict[str, int]
    """Final units by arm."""
    control: Moments
    comparisons: list[Comparison]
    funnel: Funnel

    @property
    def over(self) -> bool:
        return self.as_of_ms >= self.ends_ms


def analyse(
    plan: Plan, tables: Tables, as_of_ms: int, late_ms: int, stops: Mapping[str, Stop] | None = None
) -> Analysis:
    """Judge an experiment by the units that are final as of a moment. `stops`: by arm, those that were stopped.

    Raises:
        BadTables: exposures don't fit the plan or are none.
        NothingToEstimate: there is no final unit, or the primary metric holds no information.
    """
    exposures = exposed(plan, tables, as_of_ms)
    done = final(plan, exposures, as_of_ms, late_ms)
    counts = dict(done.group_by("arm").len().iter_rows())
    units = {arm.name: int(counts.get(arm.name, 0)) for arm in plan.arms}
    if few := [name for name, count in units.items() if count < 2]:
        raise NothingToEstimate(
            f"arm {few[0]} has {units[few[0]]} unit(s) whose {plan.window_days} days and late corrections are over; "
            "two at least are needed: report later, or see `keypulse experiment status`"
        )
    ends = ends_ms(plan, late_ms)
    ratio, exposure = sample_ratio(plan, exposures), exposure_balance(plan, tables)
    known = {arm: one for arm, one in (stops or {}).items() if one.at <= as_of_ms}
    sound = not (ratio.alarm or exposure.alarm)
    look = _Look(plan, tables, done, sum(units.values()), as_of_ms >= ends, sound, known)
    comparisons = [look.compare(arm) for arm in plan.treatments]
    control = moments(look.sums, plan.control.name)
    return Analysis(plan, as_of_ms, ends, ratio, exposure, units, control, comparisons, funnel(plan, tables, done))


class _Look:
    """One look at the final units."""

    def __init__(
        self,
        plan: Plan,
        tables: Tables,
        done: pl.DataFrame,
        units: int,
        over: bool,
        sound: bool,
        stops: Mapping[str, Stop],
    ) -> None:
        self._plan, self._tables, self._done = plan, tables, done
        self._units, self._over, self._sound, self._stops = units, over, sound, stops
        self._level = level_of(plan)
        self.sums = unit_sums(plan, tables, done)

    def compare(self, arm: Arm) -> Comparison:
        """Everything about one treatment."""
        plan, level = self._plan, self._level
        primary_metric = METRICS[plan.metrics.primary]
        primary = self._estimate(self.sums, arm, primary_metric, plan.cuped)
        left_out: dict[str, str] = {}
        beside = {
            metric.name: metric
            for metric in (
                catalogue.BESIDE_PRIMARY,
                catalogue.NORTH_STAR,
                catalogue.NORTH_STAR_WINSORISED,
                catalogue.GUARDRAIL,
            )
            if metric is not primary_metric
        }
        others = dict(self._some(arm, list(beside.values()), left_out))
        named = [METRICS[name] for name in plan.secondary if name not in beside]
        secondary = dict(self._some(arm, named, left_out))
        evidence = Evidence(
            primary,
            others.get(catalogue.GUARDRAIL.name),
            others.get(catalogue.NORTH_STAR_WINSORISED.name),
            self._sound,
            self._over,
            self._stops.get(arm.name),
            self._mixed(arm),
        )
        decision = decide(plan, evidence)
        complier = self._complier(arm, primary_metric)
        return Comparison(
            arm,
            level,
            primary,
            self._estimate(self.sums, arm, primary_metric, False),
            others,
            secondary,
            {} if plan.sequential else adjusted({name: one.p_value for name, one in secondary.items()}, plan.level),
            left_out,
            list(self._by_day(arm, primary_metric)),
            list(self._segments(arm, primary_metric)),
            complier,
            self._naive(arm, primary_metric, complier),
            power_at(primary.on(plan.effect.scale), plan.effect.size, self._critical()),
            evidence.stop,
            evidence.mixed,
            decision,
            self._more_days(primary)
            if plan.sequential and decision.verdict == "inconclusive" and evidence.stop is None
            else None,
        )

    def _mixed(self, arm: Arm) -> int:
        if arm.name not in self._stops:
            return 0
        window_ends = pl.col("exposed_at") + self._plan.window_ms
        return self._done.filter(pl.col("arm") == arm.name, window_ends > self._stops[arm.name].at).height

    def _estimate(self, sums: pl.DataFrame, arm: Arm, metric: Metric, cuped: bool) -> Estimate:
        plan = self._plan
        control, treatment = moments(sums, plan.control.name), moments(sums, arm.name)
        found = estimate(control, treatment, metric, self._level, cuped)
        return widened(found, self._units, planned_units(plan), self._level) if plan.sequential else found

    def _some(self, arm: Arm, metrics: list[Metric], left_out: dict[str, str]) -> Iterator[tuple[str, Estimate]]:
        for metric in metrics:
            try:
                yield metric.name, self._estimate(self.sums, arm, metric, self._plan.cuped)
            except NothingToEstimate as why:
                left_out[metric.name] = str(why)

    def _by_day(self, arm: Arm, metric: Metric) -> Iterator[tuple[int, Estimate]]:
        for day in range(1, self._plan.window_days + 1):
            sums = unit_sums(self._plan, self._tables, self._done, days=day)
            try:
                yield day, self._estimate(sums, arm, metric, False)
            except NothingToEstimate:
                continue

    def _segments(self, arm: Arm, metric: Metric) -> Iterator[tuple[str, str, Estimate]]:
        campaigns = self._tables.campaigns.join(self._done.select("unit", "exposed_at"), on="unit")
        for category in campaigns.get_column("category").unique().sort():
            yield from self._segment(arm, metric, "category", category, campaigns.filter(category=category))
        age = pl.col("exposed_at") - pl.col("created_at")
        yield from self._segment(arm, metric, "campaigns", "new", campaigns.filter(age < self._plan.window_ms))
        yield from self._segment(arm, metric, "campaigns", "old", campaigns.filter(age >= self._plan.window_ms))
        sizes = self.sums.filter(pl.col("campaigns") > 0)
        middle = sizes.get_column("campaigns").median()
        for name, chosen in (("small", pl.col("campaigns") <= middle), ("large", pl.col("campaigns") > middle)):
            units = sizes.filter(chosen).select("unit")
            yield from self._segment(arm, metric, "sellers", name, campaigns.join(units, on="unit", how="semi"))

    def _segment(
        self, arm: Arm, metric: Metric, by: str, name: str, campaigns: pl.DataFrame
    ) -> Iterator[tuple[str, str, Estimate]]:
        units = self._done.join(campaigns, on="unit", how="semi", maintain_order="left")
        sums = unit_sums(self._plan, self._tables, units, campaigns=campaigns.drop("exposed_at"))
        counts = [sums.filter(arm=one.name).height for one in (self._plan.control, arm)]
        if min(counts) < LEAST_SEGMENT_UNITS:
            return
        try:
            yield by, name, self._estimate(sums, arm, metric, False)
        except NothingToEstimate:
            return

    def _complier(self, arm: Arm, metric: Metric) -> ComplierEffect | None:
        if metric.denominator not in (None, "campaigns") or metric.numerator == "used":
            return None
        control, treatment = moments(self.sums, self._plan.control.name), moments(self.sums, arm.name)
        return complier_effect(control, treatment, metric, self._level)

    def _naive(self, arm: Arm, metric: Metric, complier: ComplierEffect | None) -> Naive | None:
        users = self.sums.filter(pl.col("arm") == arm.name, pl.col("used") > 0)
        control = self.sums.filter(arm=self._plan.control.name)
        values = []
        for frame in (users, control):
            below = float(frame.get_column(metric.denominator).sum()) if metric.denominator else float(frame.height)
            if not below:
                return None
            values.append(float(frame.get_column(metric.numerator).sum()) / below)
        difference = values[0] - values[1]
        effect = None if complier is None else complier.value
        return Naive(difference, None if effect is None else difference - effect)

    def _critical(self) -> float:
        """Standard errors from an estimate to the bounds of its interval."""
        if self._plan.sequential:
            return float(radius(self._units, planned_units(self._plan), self._level))
        return float(stats.norm.isf(self._level / 2))

    def _more_days(self, primary: Estimate) -> int | None:
        plan = self._plan
        interval = primary.on(plan.effect.scale)
        if not math.isfinite(interval.high):
            return None
        planned = planned_units(plan)
        now = float(radius(self._units, planned, self._level)) / math.sqrt(self._units)
        noise = (interval.high - interval.low) / 2 / now
        units = self._units * 1.05 ** np.arange(1, 150)
        enough = units[noise * radius(units, planned, self._level) / np.sqrt(units) < plan.effect.size]
        if not len(enough):
            return None
        last: int = self._done.get_column("exposed_at").max()  # type: ignore[assignment]
        pace = self._units / max(1.0, (last - plan.start_ms) / DAY_MS)
        return math.ceil(float(enough[0] - self._units) / pace)
