"""The commands of the streams floor. Nothing is imported at the top but Typer: `--help` must be quick."""

from __future__ import annotations

from importlib.util import find_spec

import typer

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
