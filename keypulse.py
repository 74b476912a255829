"""The command line: mounts each floor's commands, imports nothing heavy until a command runs."""

from __future__ import annotations

from importlib import import_module

import typer

FLOORS = ("infra", "feature_repo", "streams", "scorers")
UNREACHABLE, BAD_INPUT = 3, 2


def build() -> typer.Typer:
    """All commands."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich")
    for floor in FLOORS:
        try:
            app.add_typer(import_module(f"{floor}.cli").app)
        except ModuleNotFoundError:
            continue
    return app


def main() -> None:
    build()()


if __name__ == "__main__":
    main()
