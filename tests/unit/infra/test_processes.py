"""Keypulse's commands as processes: what is left of them when a wait for them is interrupted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.processes import Processes, ProcessFailed


def test_a_command_that_failed_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match=r"(?s)wrong ended with 2\. The end of .*wrong\.log:.*no-such-command"):
        Processes({}, tmp_path).run("wrong", "no-such-command")


def test_an_interrupted_wait_leaves_the_command_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes({}, tmp_path)
    processes.start("help", "--help")

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(subprocess.Popen, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            processes.wait("help")
    assert set(processes.stop()) == {"help"}
