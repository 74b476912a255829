"""The command line as a whole: quick help, examples, exit codes, one clear line for what went wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from keypulse import build

ROOT = Path(__file__).parents[2]
HEAVY = {"pydantic", "numpy", "pandas", "polars", "feast", "faust", "torch", "pymilvus", "confluent_kafka", "redis"}


def keypulse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "keypulse.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its path."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(get_command(build())))


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, keypulse; keypulse.build(); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(answer.stdout.split()) == set()


def test_help_lists_every_floor_and_the_exit_codes() -> None:
    answer = keypulse("--help", COLUMNS="160")
    assert answer.returncode == 0
    assert all(command in answer.stdout for command in ("stack", "topics", "lag", "streams", "index", "Exit codes"))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_with_an_example(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert f"keypulse {' '.join(path)}" in f"{command.help} {command.epilog}"


def test_a_wrong_setting_is_one_line_and_code_2(tmp_path: Path) -> None:
    answer = keypulse("stack", "status", KEYPULSE_HOME=str(tmp_path), KEYPULSE_PARTITIONS="none")
    assert answer.returncode == 2
    assert answer.stderr.startswith("keypulse: setting partitions: got 'none'")
    assert len(answer.stderr.splitlines()) == 1


def test_wrong_usage_is_code_2() -> None:
    assert keypulse("stack", "sideways").returncode == 2
    assert keypulse("--log-level", "loud", "stack", "status").returncode == 2


def test_no_stack_is_code_1(tmp_path: Path) -> None:
    answer = keypulse("stack", "status", KEYPULSE_HOME=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (1, "No stack here: keypulse stack up starts one.\n")


@pytest.mark.parametrize(
    "arguments", [("stack", "up"), ("simulate", "history", "--events=1000", "--out={home}/history")]
)
def test_a_folder_that_cannot_be_made_is_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "file" / "home"
    home.parent.touch()
    done = keypulse(*(argument.format(home=home) for argument in arguments), KEYPULSE_HOME=str(home))
    assert done.returncode in (1, 2)
    assert str(tmp_path / "file") in done.stderr
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr
