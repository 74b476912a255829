"""The supervisor's rules, on small servers of our own: order, failures, restarts, strangers' servers."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.settings import Settings, load
from infra.stack import state
from infra.stack import supervisor as supervising
from infra.stack.server import Unavailable
from infra.stack.supervisor import StackError, Supervisor

LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()
"""
DIE = "import sys; print('first line'); print('cannot open the data'); sys.exit(1)"


class Listener:
    """A server that is ready once its port is open."""

    kind = "listener"

    def __init__(self, name: str, setting: str, program: str = LISTEN) -> None:
        self.name, self.setting, self.program = name, setting, program

    def install(self) -> str:
        return "1.0"

    def command(self, folder: Path, port: int) -> list[str]:
        return [sys.executable, "-c", self.program, str(port)]

    def url(self, folder: Path, port: int) -> str:
        return f"127.0.0.1:{port}"

    def probe(self, settings: Settings) -> str | None:
        host, port = str(getattr(settings, self.setting)).split(":")
        socket.create_connection((host, int(port)), timeout=1).close()
        return None


class Absent(Listener):
    """A server that this machine cannot have."""

    def install(self) -> str:
        raise Unavailable("there is no such program")


class Stack:
    """A supervisor over listeners, and what it told the user."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.monkeypatch = home, monkeypatch
        self.lines: list[str] = []
        self.started: list[Supervisor] = []

    def of(self, *servers: Listener, **settings: str) -> Supervisor:
        self.monkeypatch.setattr(supervising, "_servers", lambda: servers)
        self.lines.clear()
        supervisor = Supervisor(load(home=self.home, **settings), tell=self.lines.append, tied=True)
        self.started.append(supervisor)
        return supervisor


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    stack = Stack(tmp_path, monkeypatch)
    yield stack
    for supervisor in stack.started:
        supervisor.down()


KAFKA = Listener("kafka", "kafka_servers")
MILVUS = Listener("milvus", "milvus_uri")


def test_parts_start_answer_and_stop(stack: Stack) -> None:
    supervisor = stack.of(KAFKA, MILVUS)
    assert [part.name for part in supervisor.up()] == ["kafka", "milvus"]
    assert all(found.healthy for found in supervisor.status())
    assert [part.name for part in supervisor.down()] == ["kafka", "milvus"]
    assert [found.detail for found in supervisor.status()] == ["stopped", "stopped"]


def test_starting_twice_changes_nothing(stack: Stack) -> None:
    supervisor = stack.of(KAFKA)
    assert supervisor.up() == supervisor.up()


def test_an_address_stays_the_same_over_a_restart(stack: Stack) -> None:
    supervisor = stack.of(KAFKA)
    (before,) = supervisor.up()
    supervisor.down()
    (after,) = supervisor.up()
    assert (after.url, after.pid != before.pid) == (before.url, True)


def test_a_server_that_dies_at_its_start_is_shown_with_its_log_and_the_others_are_stopped(stack: Stack) -> None:
    supervisor = stack.of(KAFKA, Listener("milvus", "milvus_uri", DIE))
    with pytest.raises(StackError, match=r"milvus ended while starting.*\n    first line\n    cannot open the data"):
        supervisor.up()
    assert "kafka: stopping" in stack.lines
    assert supervisor.status() == []


def test_a_crash_is_reported_with_the_end_of_the_log_and_mended(stack: Stack) -> None:
    dying = Listener("kafka", "kafka_servers", LISTEN.replace("while", "print('out of memory', flush=True)\nwhile"))
    supervisor = stack.of(dying)
    (part,) = supervisor.up()
    process = part.process
    assert process
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    (found,) = supervisor.status()
    assert not found.healthy
    assert "crashed" in found.detail
    assert "out of memory" in found.detail
    supervisor.up()
    assert any("kafka had crashed and starts again" in line and "out of memory" in line for line in stack.lines)
    assert supervisor.status()[0].healthy


def test_a_server_of_the_users_own_is_asked_and_not_started_nor_stopped(stack: Stack, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        supervisor = stack.of(KAFKA, MILVUS, kafka_servers=f"127.0.0.1:{theirs.getsockname()[1]}")
        kinds = {part.name: (part.kind, part.version, part.pid is None) for part in supervisor.up()}
        assert kinds == {"kafka": ("external", "unknown", True), "milvus": ("listener", "1.0", False)}
        assert [part.name for part in supervisor.down()] == ["milvus"]


def test_a_server_that_cannot_be_had_says_how_to_get_it(stack: Stack) -> None:
    with pytest.raises(Unavailable, match="there is no such program"):
        stack.of(Absent("milvus", "milvus_uri")).up()


def test_reset_deletes_the_data(stack: Stack, tmp_path: Path) -> None:
    supervisor = stack.of(KAFKA)
    supervisor.up()
    assert json.loads((tmp_path / "stack" / "state.json").read_text())
    supervisor.reset()
    assert not (tmp_path / "stack").exists()


@pytest.mark.parametrize("own_kafka", [True, False])
def test_reset_deletes_what_was_made_from_the_topics_it_deletes(stack: Stack, tmp_path: Path, own_kafka: bool) -> None:
    for name in ("features/item", "faust/agents-0", "bundle"):
        (tmp_path / name).mkdir(parents=True)
    settings = {} if own_kafka else {"kafka_servers": "broker.example:9092"}
    stack.of(KAFKA, **settings).reset()
    assert (tmp_path / "features").exists() is not own_kafka
    assert (tmp_path / "faust").exists() is not own_kafka
    assert (tmp_path / "bundle").exists()


def test_nothing_runs_where_nothing_was_started(stack: Stack) -> None:
    supervisor = stack.of(KAFKA)
    assert (supervisor.status(), supervisor.down()) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_tied_servers_end_with_the_process_that_started_them_even_when_it_is_killed(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from infra.settings import load
from infra.stack import supervisor
from infra.stack.valkey import Valkey
supervisor._servers = lambda: (Valkey.online_store(),)
supervisor.Supervisor(load(home=Path({str(tmp_path)!r})), tell=lambda line: None, tied=True).up()
print("up", flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[4])
    assert owner.stdout
    assert owner.stdout.readline() == b"up\n"
    (part,) = state.read(tmp_path / "stack")
    assert part.process
    owner.kill()
    owner.communicate()
    assert psutil.wait_procs([process for process in [part.process] if process], timeout=20)[1] == []
