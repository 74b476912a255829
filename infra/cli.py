"""Commands of the ground floor: the local stack, topics, consumer lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.lag import LagReader, PartitionLag
    from infra.stack.supervisor import Health

PANEL = "Infra: servers, topics, lag"
WIDE = 240
"""Columns of a table that no terminal shows: a row is a line, for grep."""

app = typer.Typer()
stack_app = typer.Typer(no_args_is_help=True, help="The local servers: Kafka, two Redis, Milvus. No Docker needed.")
topics_app = typer.Typer(no_args_is_help=True, help="The topics that Keypulse reads and writes.")
app.add_typer(stack_app, name="stack", rich_help_panel=PANEL)
app.add_typer(topics_app, name="topics", rich_help_panel=PANEL)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@stack_app.command("up")
def stack_up(as_json: AsJson = False) -> None:
    """Start what does not run yet, and wait until all parts answer.

    A part whose URL is set (e.g. KEYPULSE_KAFKA_SERVERS) is a server of yours: it isn't started, only asked.

    Example: keypulse stack up && keypulse topics create
    """
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    supervisor = Supervisor(load(), tell=_tell)
    supervisor.up()
    _show_status(supervisor.status(), as_json)


@stack_app.command("down")
def stack_down() -> None:
    """Stop the servers in order. Data stays.

    Example: keypulse stack down
    """
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    if not Supervisor(load(), tell=_tell).down():
        _tell("Nothing runs.")


@stack_app.command("status")
def stack_status(as_json: AsJson = False) -> None:
    """Show each part's kind, version, URL and process, and whether it answers; a crashed one with its log's end.

    Exit code 1 when a part does not answer. Example: keypulse stack status --json
    """
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    health = Supervisor(load(), tell=_tell).status()
    _show_status(health, as_json)
    if not health or not all(part.healthy for part in health):
        raise typer.Exit(1)


@stack_app.command("reset")
def stack_reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the servers and delete all their data, and the feature archive, which was made from their topics.

    Models stay. Example: keypulse stack reset --yes
    """
    from infra.settings import load
    from infra.stack import state
    from infra.stack.supervisor import Supervisor

    settings = load()
    if not yes:
        place = state.folder(settings)
        typer.confirm(f"Delete all data of the local servers in {place}, and the feature archive?", abort=True)
    Supervisor(settings, tell=_tell).reset()


@topics_app.command("create")
def topics_create(as_json: AsJson = False) -> None:
    """Create the topics that are missing, and bring the others' configuration to the registry.

    Example: keypulse topics create
    """
    import json

    from infra.kafka import create_topics
    from infra.stack import state

    created = create_topics(state.settings())
    if as_json:
        typer.echo(json.dumps({"created": created}))
    else:
        typer.echo("\n".join(f"created {name}" for name in created) or "All topics are there.")


@topics_app.command("list")
def topics_list(as_json: AsJson = False) -> None:
    """Show every topic of the registry: its key, partitions, retention, who writes it and who reads it.

    Example: keypulse topics list --json
    """
    import json
    from dataclasses import asdict

    from infra.settings import DAY_MS
    from infra.stack import state
    from infra.topics import Topics

    topics = list(Topics.of(state.settings()))
    if as_json:
        typer.echo(json.dumps([asdict(topic) for topic in topics]))
        return
    _table(
        ["topic", "schema", "key", "partitions", "kept", "written by", "read by"],
        [
            [
                topic.name,
                topic.schema,
                topic.key,
                str(topic.partitions),
                "compacted" if topic.cleanup == "compact" else f"{topic.retention_ms / DAY_MS:.1f} days",
                topic.written_by,
                topic.read_by,
            ]
            for topic in topics
        ],
    )


@app.command("lag", rich_help_panel=PANEL)
def lag(
    group: Annotated[str | None, typer.Option(help="Only this consumer group, by its full name.")] = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until interrupted.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="As Prometheus metrics on the setting metrics_port.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two readings.")] = 2.0,
) -> None:
    """Show how many records each consumer group has still to read, and how old the oldest is, by partition.

    Example: keypulse lag --watch        Example: KEYPULSE_METRICS_PORT=9100 keypulse lag --serve
    """
    import time

    from infra.lag import LagReader
    from infra.stack import state

    settings = state.settings()
    reader = LagReader(settings, group=group)
    if serve:
        _serve_lag(reader, settings.metrics_port, interval)
        return
    _show_lag(reader.read(), as_json)
    while watch:
        time.sleep(interval)
        _show_lag(reader.read(), as_json)


def _serve_lag(reader: LagReader, port: int, interval: float) -> None:
    import signal
    import threading

    from infra import metrics
    from infra.lag import LagExporter
    from infra.settings import SettingsError

    if not port:
        raise SettingsError("setting metrics_port: got 0; `keypulse lag --serve` needs a port (KEYPULSE_METRICS_PORT)")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    metrics.serve(port)
    LagExporter(reader, interval).run(stop)


def _show_lag(lags: list[PartitionLag], as_json: bool) -> None:
    import json
    from dataclasses import asdict

    if as_json:
        typer.echo(json.dumps([asdict(lag) for lag in lags]))
        return
    _table(
        ["group", "topic", "partition", "committed", "end", "lag", "seconds"],
        [
            [
                lag.group,
                lag.topic,
                str(lag.partition),
                "-" if lag.committed is None else str(lag.committed),
                str(lag.end),
                str(lag.lag),
                "?" if lag.lag_seconds is None else f"{lag.lag_seconds:.1f}",
            ]
            for lag in lags
        ],
    )


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _show_status(health: list[Health], as_json: bool) -> None:
    import json

    from infra.redis import without_password

    rows = [
        {
            "name": found.part.name,
            "kind": found.part.kind,
            "version": found.part.version,
            "url": without_password(found.part.url),
            "pid": found.part.pid,
            "healthy": found.healthy,
            "detail": found.detail,
        }
        for found in health
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("No stack here: keypulse stack up starts one.")
        return
    _table(
        ["name", "kind", "version", "url", "pid", "healthy"],
        [[str(value) for value in row.values()][:6] for row in rows],
    )
    for row in rows:
        if row["detail"]:
            typer.echo(f"{row['name']}: {row['detail']}")


def _table(columns: list[str], rows: list[list[str]]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)
