"""Commands of the ground floor: the local stack, topics, consumer lag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.stack.supervisor import Health

app = typer.Typer()
stack_app = typer.Typer(no_args_is_help=True, help="The local servers: Kafka, two Redis, Milvus. No Docker needed.")
app.add_typer(stack_app, name="stack", rich_help_panel="Servers and topics")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@stack_app.command("up", epilog="Example: keypulse stack up && keypulse topics create")
def stack_up(as_json: AsJson = False) -> None:
    """Start what does not run yet, and wait until all parts answer.

    A part whose URL is set (e.g. KEYPULSE_KAFKA_SERVERS) is a server of yours: it isn't started, only asked.
    """
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    supervisor = Supervisor(load(), tell=_tell)
    supervisor.up()
    _show_status(supervisor.status(), as_json)


@stack_app.command("down", epilog="Example: keypulse stack down")
def stack_down() -> None:
    """Stop the servers in order. Data stays."""
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    if not Supervisor(load(), tell=_tell).down():
        _tell("Nothing runs.")


@stack_app.command("status", epilog="Example: keypulse stack status --json   (exit code 1 when a part doesn't answer)")
def stack_status(as_json: AsJson = False) -> None:
    """Show each part's kind, version, URL and process, and whether it answers; a crashed one with its log's end."""
    from infra.settings import load
    from infra.stack.supervisor import Supervisor

    health = Supervisor(load(), tell=_tell).status()
    _show_status(health, as_json)
    if not health or not all(part.healthy for part in health):
        raise typer.Exit(1)


@stack_app.command("reset", epilog="Example: keypulse stack reset --yes")
def stack_reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the servers and delete all their data."""
    from infra.settings import load
    from infra.stack import state
    from infra.stack.supervisor import Supervisor

    settings = load()
    if not yes:
        typer.confirm(f"Delete all data of the local servers in {state.folder(settings)}?", abort=True)
    Supervisor(settings, tell=_tell).reset()


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
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
