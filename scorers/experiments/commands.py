"""What the commands do: read, judge, write."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import typer

from infra.clock import SystemClock
from infra.failure import Failure
from infra.settings import Settings
from infra.stack import state
from scorers.experiments.analysis import analyse
from scorers.experiments.assignment import overlapping
from scorers.experiments.baseline import measure
from scorers.experiments.briefing import briefing, curve, detectable, looked_at
from scorers.experiments.collection import GROUP, collect
from scorers.experiments.duration import ends_ms, enrolled, enrolment_weeks
from scorers.experiments.frozen import folder_of, freeze, known, load
from scorers.experiments.plan import BadPlan, Plan, check_start, read
from scorers.experiments.report.blocks import Heading, Plot
from scorers.experiments.report.markdown import markdown
from scorers.experiments.report.page import page
from scorers.experiments.status import in_json, status_of
from scorers.experiments.stops import stop, stopped_arms, stops_of
from scorers.experiments.tables import Tables
from scorers.experiments.weekly import weekly
from scorers.experiments.words import moment
from scorers.history import History
from streams.canonical import home_forms
from streams.log_reader import log_reader


class BadDay(Failure):
    """Not a day."""

    exit_code = 2


def plan_command(file: Path, history: Path | None, plot: Path | None, start: bool) -> None:
    """Print what a plan costs; with `start`, freeze it."""
    settings, clock = state.settings(), SystemClock()
    plan = read(file)
    check_start(plan, clock.now_ms())
    if history is not None:
        measured = measure(
            History(history, home_forms(settings)), plan.unit, plan.window_days, settings.attribution_window_ms
        )
        plan = msgspec.structs.replace(plan, baseline=measured)
        typer.echo(f"baseline measured on {history}; put it into {file} to keep it:")
        typer.echo(f"baseline: {msgspec.json.encode(measured).decode()}\n")
    typer.echo(briefing(plan, settings.late_horizon_ms))
    if plot is not None:
        _plot_power(plan, plot)
        typer.echo(f"\npower curve: {plot}")
    if start:
        if history is not None:
            raise BadPlan("--start excludes --history: put the measured baseline into the plan, then start it")
        enrolment_weeks(plan)
        _check_layer(plan, settings, clock.now_ms())
        frozen = freeze(file, plan, folder_of(settings), clock.now_ms())
        typer.echo(f"\nstarted: {plan.name} from {plan.start}, checksum {frozen.checksum}")


def collect_command(name: str) -> None:
    """Read the streams to where they end now and write the experiment's tables."""
    settings = state.settings()
    started = load(folder_of(settings), name)
    with log_reader(settings, GROUP) as reader:
        tables = collect(started, settings, reader)
    typer.echo(
        f"{name}: {tables.exposures.height:,} campaigns exposed, {tables.outcomes.height:,} minutes with outcomes, "
        f"{tables.adoptions.height:,} keywords adopted, {tables.feedback.height:,} answers; {started.tables}"
    )


def status_command(name: str, as_of: str | None, as_json: bool) -> bool:
    """Print how far an experiment is. Whether nothing must be done."""
    settings, as_of_ms = state.settings(), _moment(as_of)
    started = load(folder_of(settings), name)
    found = status_of(started, Tables.read(started.tables), as_of_ms, settings.late_horizon_ms)
    typer.echo(in_json(found) if as_json else found.text)
    return not found.alarms


def stop_command(name: str, arm: str | None, reason: str) -> None:
    """Stop an arm, or every treatment, and say what follows."""
    settings = state.settings()
    started = load(folder_of(settings), name)
    stops = stop(started, arm, "operator", reason, SystemClock().now_ms())
    control = started.frozen.as_started().control
    shown = "nothing" if control.shows == "nothing" else f"what {control.name} is"
    typer.echo(
        f"{name}: {', '.join(one.arm for one in stops)} stopped from {moment(stops[0].at)} on, for good. Workers heed "
        f"it within seconds: its units are shown {shown}, and are judged as they were assigned.\n"
        "The experiment no longer ends by itself. Once it is decided what all sellers are to get, take its folder "
        f"away: {started.folder}"
    )


def weekly_command(name: str, as_of: str | None, out: Path) -> None:
    """Write NAME-weekly.md: what sellers do with suggestions, week by week, and whether it sells more."""
    settings, as_of_ms = state.settings(), _moment(as_of)
    started = load(folder_of(settings), name)
    stops = stops_of(started.folder)
    text = weekly(started.plan, Tables.read(started.tables), as_of_ms, settings.late_horizon_ms, stops)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}-weekly.md").write_text(text)
    typer.echo(text)


def report_command(name: str, as_of: str | None, out: Path) -> None:
    """Write NAME.md and NAME.html."""
    from scorers.experiments.report.content import content  # draws by matplotlib, which the workers' image lacks

    settings, as_of_ms = state.settings(), _moment(as_of)
    started = load(folder_of(settings), name)
    stops = stops_of(started.folder)
    analysis = analyse(started.plan, Tables.read(started.tables), as_of_ms, settings.late_horizon_ms, stops)
    blocks = content(started, analysis)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(markdown(blocks))
    (out / f"{name}.html").write_text(page(f"Experiment {name}", blocks))
    for one in analysis.comparisons:
        typer.echo(f"{one.arm.name}: {one.decision.verdict}. {one.decision.words} Decided by: {one.decision.rule}.")
    typer.echo(f"{out / name}.md, {out / name}.html")


def _check_layer(plan: Plan, settings: Settings, now_ms: int) -> None:
    """No unit may stand in two running experiments of one layer.

    Raises:
        BadPlan: the plan claims a part of its layer that another one has.
    """
    folder = folder_of(settings)
    others = [load(folder, name).plan for name in known(folder) if name != plan.name]
    running = [
        other
        for other in others
        if ends_ms(other, settings.late_horizon_ms) > now_ms or stopped_arms(folder / other.name)
    ]
    for other in overlapping(plan, running):
        raise BadPlan(
            f"layer: {other.name} has {other.layer.begin:g} to {other.layer.end:g} of {other.layer.name!r} already; "
            "take another part of it, or a layer of your own if the two can't affect each other"
        )


def _plot_power(plan: Plan, out: Path) -> None:
    """Effects up to three times the planned one, or until traffic finds them nearly always."""
    from scorers.experiments.report.plots import power_plot  # matplotlib, which the workers' image lacks

    weeks = looked_at(plan)
    units = enrolled(plan, weeks)
    furthest = max(3 * plan.effect.size, 1.5 * (detectable(plan, weeks)[plan.effect.scale] or 0.0))
    effects = [furthest * step / 60 for step in range(1, 61)]
    unit = "% of the control" if plan.effect.scale == "relative" else "percentage points"
    svg = power_plot(effects, curve(plan, units, effects), plan.effect.size, plan.power, unit)
    told = f"With {units:,} {plan.unit} units: {weeks} week(s) of today's traffic. Dotted: the power wanted."
    out.parent.mkdir(parents=True, exist_ok=True)
    title = f"Power of {plan.name}"
    out.write_text(page(title, [Heading(1, title), Plot(svg, told)]))


def _moment(as_of: str | None) -> int:
    if as_of is None:
        return SystemClock().now_ms()
    try:
        midnight = datetime.datetime.combine(datetime.date.fromisoformat(as_of), datetime.time(), datetime.UTC)
    except ValueError:
        raise BadDay(f"--as-of: {as_of!r} is not a day; write e.g. 2031-02-17") from None
    return int(midnight.timestamp() * 1_000)
