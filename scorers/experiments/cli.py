"""Commands of the experiments: plan, collect, status, stop, report, and the proof of their statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Experiments: do suggestions raise sales?")
NAME = typer.Argument(help="The experiment, as its plan names it")
AS_OF = typer.Option("--as-of", help="Judge as of this day (UTC, e.g. 2031-02-17); now when left out")


@app.command("plan")
def plan(
    file: Annotated[Path, typer.Argument(help="The plan, YAML; see docs/experiments.md")],
    history: Annotated[
        Path | None, typer.Option(help="History folder to measure rate, clusters and traffic on")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the power curve here, as a page")] = None,
    start: Annotated[bool, typer.Option("--start", help="Freeze the plan: the experiment is on")] = False,
) -> None:
    """Say what a plan costs, on both readings of its effect, and what today's traffic can find.

    Example: keypulse experiment plan boots.yaml --plot reports/power.html
    """
    from scorers.experiments.commands import plan_command

    plan_command(file, history, plot, start)


@app.command("collect")
def collect(name: Annotated[str, NAME]) -> None:
    """Read exposures, counts, campaigns and feedback off the streams into the experiment's tables. Run it daily.

    Example: keypulse experiment collect boots
    """
    from scorers.experiments.commands import collect_command

    collect_command(name)


@app.command("status")
def status(
    name: Annotated[str, NAME],
    as_of: Annotated[str | None, AS_OF] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output")] = False,
) -> None:
    """Say how far an experiment is and whether it is sound. Exit code 1 if something must be done.

    Example: keypulse experiment status boots
    """
    from scorers.experiments.commands import status_command

    if not status_command(name, as_of, as_json):
        raise typer.Exit(1)


@app.command("stop")
def stop(
    name: Annotated[str, NAME],
    arm: Annotated[str | None, typer.Option(help="Arm to stop; every treatment when left out")] = None,
    reason: Annotated[str, typer.Option(help="Why; the report says it")] = "",
) -> None:
    """Stop an arm, for good: from now on its sellers are shown what the control is, and are judged as assigned.

    Example: keypulse experiment stop boots --arm suggestions --reason "sellers complain of odd keywords"
    """
    from scorers.experiments.commands import stop_command

    stop_command(name, arm, reason)


@app.command("report")
def report(
    name: Annotated[str, NAME],
    as_of: Annotated[str | None, AS_OF] = None,
    out: Annotated[Path, typer.Option(help="Folder for NAME.md and NAME.html")] = Path("reports"),
) -> None:
    """Write an experiment's report, with its decision, as Markdown and as one self-contained page.

    Example: keypulse experiment report boots
    """
    from scorers.experiments.commands import report_command

    report_command(name, as_of, out)


@app.command("weekly")
def weekly(
    name: Annotated[str, NAME],
    as_of: Annotated[str | None, AS_OF] = None,
    out: Annotated[Path, typer.Option(help="Folder for NAME-weekly.md")] = Path("reports"),
) -> None:
    """Write what sellers do with suggestions week by week, and whether they sell more than the hold-out.

    Example: keypulse experiment weekly boots
    """
    from scorers.experiments.commands import weekly_command

    weekly_command(name, as_of, out)


@app.command("watch")
def watch(
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks")] = 3_600.0,
    metrics_port: Annotated[int | None, typer.Option(help="Prometheus endpoint; 0 serves none")] = None,
    stop: Annotated[bool, typer.Option(help="Stop an arm that breaches its guardrail, or only alert")] = True,
) -> None:
    """Collect and check every started experiment until SIGTERM: sample ratio, exposure, guardrail, as metrics.

    An arm that surely creates fewer campaigns than the margin allows is stopped.

    Example: keypulse experiment watch --metrics-port 9105
    """
    from scorers.experiments.watch import watch_command

    watch_command(every, metrics_port, stop)


@app.command("validate")
def validate(
    replicates: Annotated[int, typer.Option(min=200, help="Of each line of the proof")] = 10_000,
    sellers: Annotated[int, typer.Option(min=50, help="In each arm")] = 400,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Report to write")] = Path("reports/experiments.json"),
) -> None:
    """Prove the statistics by simulation, where the truth is known. Exit code 1 if a line fails.

    Example: keypulse experiment validate --replicates 1000
    """
    from scorers.experiments.validation.run import validate_command

    if not validate_command(replicates, sellers, seed, out):
        raise typer.Exit(1)
