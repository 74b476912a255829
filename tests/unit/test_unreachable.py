"""Whatever command finds its server gone: a line a try, then one that names the server, and exit code 3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Two tries, for a test need not wait out a minute: the clock by which patience ends goes 45 s further at each look.
PROGRAM = """
from itertools import count
from infra import reach
reach.until_reachable.__kwdefaults__["monotonic"] = count(step=45).__next__
import keypulse
keypulse.main()
"""
NOWHERE = {
    "KEYPULSE_KAFKA_SERVERS": "127.0.0.1:1",
    "KEYPULSE_CHECKPOINT_REDIS_URL": "redis://127.0.0.1:1/0",
    "KEYPULSE_ONLINE_REDIS_URL": "redis://127.0.0.1:1/1",
    "KEYPULSE_MILVUS_URI": "http://127.0.0.1:1",
}
COMMANDS = [
    "stack up",
    "topics create",
    "lag",
    "deadletter list",
    "deadletter redrive",
    "streams run",
    "backfill --history none",
    "rebuild --yes",
    "features show item:A17",
    "features consistency",
    "features archive",
    "simulate state none",
    "index build --history none",
    "scorer run",
    "tail",
    "suggestions pause",
    "suggestions resume",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All commands at once, by name: they mostly wait."""
    home = {"KEYPULSE_HOME": str(tmp_path_factory.mktemp("home"))}
    processes = {
        command: subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *command.split()],
            cwd=ROOT,
            env=os.environ | NOWHERE | home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in COMMANDS
    }
    yield processes
    for process in processes.values():
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_does_not_answer(running: dict[str, subprocess.Popen[str]], command: str) -> None:
    process = running[command]
    _, said = process.communicate()
    assert process.returncode == 3, said
    *tries, last = said.splitlines()
    assert last.startswith("keypulse: ")
    assert "127.0.0.1:1" in last
    assert "does not answer: " in last
    assert all("does not answer, next try in" in line for line in tries), said
