"""How a process finds the running servers."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from infra.stack import state
from infra.stack.state import Part


def part(pid: int | None, started: float | None, log: Path | None = None) -> Part:
    return Part("kafka", "kafka_servers", "apache-kafka", "4.1", "127.0.0.1:5", pid, started, str(log) if log else None)


@pytest.fixture
def me() -> Part:
    """A part that certainly runs: this process."""
    return part(os.getpid(), psutil.Process().create_time())


def write(home: Path, *parts: Part) -> None:
    (home / "stack").mkdir(parents=True)
    state.write(home / "stack", list(parts))


def test_no_stack_means_the_settings_as_they_are(tmp_path: Path) -> None:
    assert state.settings(home=tmp_path).kafka_servers == "127.0.0.1:9092"


def test_a_running_part_gives_its_url(tmp_path: Path, me: Part) -> None:
    write(tmp_path, me)
    assert state.settings(home=tmp_path).kafka_servers == "127.0.0.1:5"
    assert state.parts(state.settings(home=tmp_path)) == {"kafka": {"kind": "apache-kafka", "version": "4.1"}}


def test_an_explicit_setting_wins(tmp_path: Path, me: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, me)
    monkeypatch.setenv("KEYPULSE_KAFKA_SERVERS", "broker:9092")
    assert state.settings(home=tmp_path).kafka_servers == "broker:9092"


def test_a_process_that_took_over_the_pid_is_not_the_server() -> None:
    assert part(os.getpid(), psutil.Process().create_time() - 1_000).process is None


def test_a_part_that_crashed_keeps_its_url_for_it_will_start_again_there(tmp_path: Path) -> None:
    write(tmp_path, part(2**22 + 1, 0))
    assert state.settings(home=tmp_path).kafka_servers == "127.0.0.1:5"


def test_a_part_that_was_stopped_does_not(tmp_path: Path) -> None:
    write(tmp_path, part(None, None))
    assert state.settings(home=tmp_path).kafka_servers == "127.0.0.1:9092"


def test_the_end_of_the_log_is_shown_and_bounded(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert part(None, None, log).log_tail(2) == "    line 9998\n    line 9999\n"
    assert part(None, None, tmp_path / "none").log_tail() == ""
