"""The commands of the streams floor. Nothing is imported at the top but Typer: `--help` must be quick."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.cli import features_app

app = typer.Typer()
PANEL = "Streams"

contracts_app = typer.Typer(help="The documents that describe every public message.", no_args_is_help=True)
app.add_typer(contracts_app, name="contracts", rich_help_panel=PANEL)

deadletter_app = typer.Typer(
    help="Records that could not be used: look at them, send them again.", no_args_is_help=True
)
app.add_typer(deadletter_app, name="deadletter", rich_help_panel=PANEL)

if find_spec("streams.simulator") and find_spec("streams.simulator.cli"):
    from streams.simulator.cli import app as simulator_app

    app.add_typer(simulator_app, name="simulate", rich_help_panel=PANEL)

streams_app = typer.Typer(help="The workers that turn events into features.", no_args_is_help=True)
app.add_typer(streams_app, name="streams", rich_help_panel=PANEL)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
MetricsPort = Annotated[int | None, typer.Option(help="Prometheus endpoint; 0 serves none.")]


Folder = Annotated[Path, typer.Option(help="Where the documents are.")]


@contracts_app.command("write")
def contracts_write(folder: Folder = Path("docs/contracts")) -> None:
    """Generate JSON Schemas and the AsyncAPI document from the messages' structs.

    Example: keypulse contracts write
    """
    from streams.contracts import schemas

    for path in schemas.write(folder):
        typer.echo(f"wrote {folder / path}")


@contracts_app.command("check")
def contracts_check(folder: Folder = Path("docs/contracts")) -> None:
    """Check that the documents are fresh and that no change breaks a released revision. Exit code 1 if not.

    Example: keypulse contracts check
    """
    from streams.contracts import schemas

    problems = schemas.check(folder)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{len(schemas.CONTRACTS)} messages, {len(schemas.revisions(folder))} released revisions: all well")


@contracts_app.command("release")
def contracts_release(folder: Folder = Path("docs/contracts")) -> None:
    """Add today's schemas to the history, as part of a release: from then on they bind later changes.

    Example: keypulse contracts release
    """
    from streams.contracts import schemas

    if problems := schemas.check(folder):
        typer.echo("\n".join(problems), err=True)
        raise typer.Exit(1)
    place = schemas.release(folder)
    typer.echo(f"wrote {place}" if place else "nothing changed since the last revision")


@deadletter_app.command("list")
def deadletter_list(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    code: Annotated[str | None, typer.Option(help="Only this code, e.g. invalid.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest records that could not be used, with what is wrong and the cure. `--json`: one letter a line.

    Example: keypulse deadletter list --code invalid --limit 5
    """
    import msgspec

    from infra.stack import state
    from streams.deadletters import redrive

    _check_codes([code] if code else [])
    letters = redrive.newest(state.settings(), limit, code)
    for letter in letters:
        if as_json:
            typer.echo(msgspec.json.encode(letter))
        else:
            typer.echo(f"{letter.topic}/{letter.partition} offset {letter.offset}: {letter.code} at {letter.field}")
            typer.echo(f"    {letter.message}")
    if not letters and not as_json:
        typer.echo("no dead letters")


@deadletter_app.command("redrive")
def deadletter_redrive(
    code: Annotated[
        list[str] | None, typer.Option(help="Only these codes (repeatable); all but too_late when not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters' original records to their topics again. A second call sends only what came since.

    Example: keypulse deadletter redrive --code unknown_schema --dry-run
    """
    import json

    from infra.stack import state
    from streams.deadletters import redrive

    _check_codes(code or [])
    done = redrive.redrive(state.settings(), code or redrive.REDRIVEN_BY_DEFAULT, dry_run=dry_run)
    if as_json:
        rows = [
            {"topic": topic, "code": each, "records": records, "sent": counter is done.sent and not dry_run}
            for counter in (done.sent, done.kept)
            for (topic, each), records in sorted(counter.items())
        ]
        typer.echo(json.dumps({"dry_run": dry_run, "letters": rows}))
        return
    for (topic, each), records in sorted(done.sent.items()):
        typer.echo(f"{topic}: {records} {each} {'would be sent' if dry_run else 'sent'} again")
    for (topic, each), records in sorted(done.kept.items()):
        typer.echo(f"{topic}: {records} {each} not sent; its owner has to send the state anew, an old one may be stale")
    if not done.sent and not done.kept:
        typer.echo("nothing to redrive")


def _check_codes(codes: list[str]) -> None:
    from streams.contracts.rejection import CODES

    if unknown := [code for code in codes if code not in CODES]:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(CODES)}", param_hint="--code")


@app.command(rich_help_panel=PANEL)
def validate(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="JSON lines, one record a line; - reads stdin.")],
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="search, impression, click, purchase, campaign, product or feedback; when not given it is told by a "
            "field `type` or `topic`, else by the fields that a record has.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell, record by record, what is wrong with what you are about to send, and how to cure it.

    Dates are judged against this machine's clock. Exit code 1 if any record would be refused.

    Example: keypulse validate events.jsonl --type click
    """
    from infra.clock import SystemClock
    from infra.settings import settings
    from streams.contracts import validate as validation

    if type_ is not None and type_ not in validation.TYPES:
        raise typer.BadParameter(f"{type_!r} is not one of {', '.join(validation.TYPES)}", param_hint="--type")
    validator = validation.Validator(settings(), SystemClock().now_ms(), type_)
    problems, good = [], 0
    for problem in validator.problems(file):
        if problem is None:
            good += 1
            continue
        problems.append(problem)
        if not as_json:
            typer.echo(validation.as_text(problem))
    bad = sum(not problem.warning for problem in problems)
    records = good + len({problem.record for problem in problems})
    if as_json:
        typer.echo(validation.as_json(records, problems))
    else:
        typer.echo(f"{records} records, {bad} bad")
    if bad:
        raise typer.Exit(1)


@streams_app.command("run")
def streams_run(
    stages: Annotated[str, typer.Option(help="Which stages it runs: shopper, entity or both.")] = "shopper,entity",
    instance: Annotated[
        str, typer.Option(help="Name of this worker among its group; under the same name a restart is quick.")
    ] = "0",
    metrics_port: MetricsPort = None,
) -> None:
    """Run a streams worker: the stages, the agents of the state topics, and the window sweep. Stops on SIGTERM.

    Example: keypulse streams run --stages shopper --instance shopper-1 --metrics-port 9101
    """
    from infra.stack import state
    from streams import app as worker

    names = [name for name in worker.STAGES if name in stages.split(",")]
    if set(names) != set(stages.split(",")):
        raise typer.BadParameter(f"{stages!r} is not a list of {', '.join(worker.STAGES)}", param_hint="--stages")
    worker.run(state.settings(metrics_port=metrics_port), names, instance)


@app.command(rich_help_panel=PANEL)
def backfill(
    history: Annotated[Path, typer.Option(help="Folder of search, impression, click and purchase .parquet files.")],
    as_json: AsJson = False,
) -> None:
    """Play a history through the stages, and leave what a live run would have left.

    Keywords count under the dictionary that was published from this home (keypulse keywords publish), if any.

    Example: keypulse backfill --history .keypulse/history
    """
    import json
    from dataclasses import asdict
    from time import perf_counter

    from rich.progress import Progress

    from feature_repo.archive import FeatureArchive
    from feature_repo.vector_writer import VectorWriter
    from infra import redis
    from infra.stack import state
    from streams.backfill.run import SOURCE, Backfill
    from streams.canonical import home_forms
    from streams.exactly_once import RedisCheckpoints

    settings = state.settings()
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    store = VectorWriter(redis.connect(settings.online_redis_url), settings)
    archive = FeatureArchive(settings.feature_log_path, SOURCE)
    started = perf_counter()
    with Progress(disable=as_json) as bar:
        task = bar.add_task("events counted")
        summary = Backfill(settings, checkpoints, store, archive, home_forms(settings)).run(
            history, lambda done, of: bar.update(task, completed=done, total=of)
        )
    seconds = perf_counter() - started
    if as_json:
        typer.echo(json.dumps(asdict(summary) | {"seconds": round(seconds, 3)}))
    else:
        typer.echo(
            f"{summary.events:,} events in {seconds:.1f} s ({summary.events / seconds:,.0f}/s), {summary.entities:,} "
            f"entities, {summary.log_rows:,} rows of the feature log"
        )


@app.command(rich_help_panel=PANEL)
def rebuild(
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget all counts, so that the workers count the event topics again from their beginning. Stop them first.

    Example: keypulse rebuild --yes
    """
    import json

    from infra.stack import state
    from streams import rebuild as rebuilding

    if not yes:
        typer.confirm("Forget checkpoints and vectors, and count again from the event topics?", abort=True, err=True)
    settings = state.settings()
    dictionary = rebuilding.rebuild(settings)
    if as_json:
        told = {"groups": rebuilding.groups(settings), "partitions": settings.partitions, "dictionary": dictionary}
        typer.echo(json.dumps(told))
    else:
        under = f"dictionary {dictionary}" if dictionary else "the normal form of each keyword"
        typer.echo(f"forgotten; start the workers and they count again, under {under}")


@app.command(rich_help_panel=PANEL)
def bench(
    events: Annotated[int, typer.Option(min=1_000, help="Events that our pipeline and the limit drain.")] = 2_000_000,
    hours: Annotated[float, typer.Option(min=0.1, help="Event time that they span.")] = 1.0,
    plain_events: Annotated[int, typer.Option(min=100, help="Of these, for the plain Faust agent.")] = 20_000,
    profile_events: Annotated[int, typer.Option(min=1_000, help="Of these, for the profile.")] = 200_000,
    out: Annotated[Path, typer.Option(help="The report.")] = Path("reports/bench.json"),
    as_json: AsJson = False,
) -> None:
    """Measure events to readable features: ours, a plain Faust agent's, and the limit. On servers of its own.

    Exit code 1 when one of our features is not exact.

    Example: keypulse bench --events 200000
    """
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from infra import log
    from infra.settings import load
    from streams.bench import report as reports
    from streams.bench.run import Size, on_own_servers

    log.setup("WARNING")
    size = Size(events, hours, plain_events, profile_events)
    with Progress(disable=as_json) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, of: int) -> None:
            task = tasks.get(step)
            if task is None:
                task = tasks[step] = bar.add_task(step)
            bar.update(task, completed=done, total=of or None)

        report = on_own_servers(load(), size, show, lambda line: typer.echo(line, err=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(reports.to_json(report))
    if as_json:
        typer.echo(reports.to_json(report).decode(), nl=False)
    else:
        console = Console()
        for table in reports.tables(report):
            console.print(table)
        typer.echo(f"wrote {out}")
    exactness = report.results["keypulse"].exactness
    if exactness is None or exactness.mismatches or not exactness.compared:
        raise typer.Exit(1)


@features_app.command("archive")
def features_archive(
    once: Annotated[bool, typer.Option("--once", help="Stop where the log ends now.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds that rows wait at most for their file.")] = 300.0,
    metrics_port: MetricsPort = None,
    as_json: AsJson = False,
) -> None:
    """Archive the feature log to Parquet, where training reads it. Runs until SIGTERM. One process is enough.

    Example: keypulse features archive --once
    """
    import json
    import signal
    from threading import Event

    from rich.progress import Progress

    from infra import metrics
    from infra.outage import survived
    from infra.stack import state
    from streams import feature_archive

    settings = state.settings(metrics_port=metrics_port)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if not once:
        metrics.serve(settings.metrics_port)
    with Progress(disable=as_json or not once) as bar, survived():
        task = bar.add_task("messages of the feature log")
        rows = feature_archive.run(
            settings,
            once=once,
            every_s=every,
            stop=stop,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    typer.echo(json.dumps({"rows": rows}) if as_json else f"{rows:,} rows archived in {settings.feature_log_path}")
