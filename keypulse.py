"""The command line: mounts each floor's commands. Nothing heavy is imported until a command runs."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import Annotated

import typer

FLOORS = ("infra", "feature_repo", "streams", "scorers")

EXIT_CODES = """Exit codes: 0 done; 1 a check failed, a step before this one is missing, or an error that is no \
fault of yours; 2 wrong usage, a wrong setting or wrong input; 3 a server does not answer; 4 a local server cannot be \
had or did not start.

Settings are read from the environment (KEYPULSE_PARTITIONS=8) and from keypulse.env in the working folder.

Example: keypulse stack up && keypulse topics create && keypulse lag"""

_NO_FAULT_OF_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.ENOTDIR}
"""Of a file's or folder's owner, or its disk: the system's own words say what and where."""


def build() -> typer.Typer:
    """The application, with every floor's commands at the top level."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    for floor in FLOORS:
        app.add_typer(import_module(f"{floor}.cli").app)
    app.callback(epilog=EXIT_CODES)(_options)
    return app


def _options(
    log_level: Annotated[
        str, typer.Option(envvar="KEYPULSE_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR; log lines go to stderr.")
    ] = "INFO",
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda wanted: _show_version(wanted), help="Show it.")
    ] = False,
) -> None:
    """Keywords that will raise a campaign's sales, kept fresh as shoppers search, click and buy."""
    from infra import log

    try:
        log.setup(log_level.upper())
    except ValueError:
        raise typer.BadParameter(f"{log_level!r} is not one of DEBUG, INFO, WARNING, ERROR") from None


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"keypulse {version('keypulse')}")
        raise typer.Exit


def main() -> None:
    """Run a command. An error that the user can cure is shown as its text alone, any other with its stack."""
    try:
        build()()
    except Exception as error:
        from infra.failure import Failure
        from infra.outage import outage
        from infra.reach import Unreachable

        gone = outage(error)
        failure: Exception = Unreachable(gone) if gone else error
        if isinstance(error, OSError) and error.errno in _NO_FAULT_OF_OURS:
            failure = Failure(str(error))
        if not isinstance(failure, Failure):
            raise
        typer.secho(f"keypulse: {failure}", fg="red", err=True)
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
