"""A server is killed in the middle of a run and comes back: workers start over by themselves, features are exact."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import kafka
from infra.settings import Settings
from infra.stack import state
from infra.stack.supervisor import Supervisor
from streams.verification import verify
from tests.workers import counted, produce, wait_until_counted, wait_until_more_than, workers

pytestmark = [pytest.mark.integration, pytest.mark.slow]
EVENTS = 60_000
GONE_S = 3.0


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Servers of this test alone: it kills them."""
    own = Supervisor(Settings(home=tmp_path / "home"), tell=lambda line: None, tied=True, embedded_broker=False)
    own.up()
    yield own
    own.down()


def kill(settings: Settings, name: str) -> None:
    part = next(part for part in state.read(state.folder(settings)) if part.name == name)
    assert part.process
    part.process.kill()


def test_workers_start_over_when_a_server_goes_away(supervisor: Supervisor, tmp_path: Path) -> None:
    settings = state.settings(home=tmp_path / "home")
    kafka.create_topics(settings)
    with workers(settings, tmp_path) as running:
        for seed, server in enumerate(("redis", "redis-online", "kafka")):
            before = counted(settings, "entity")
            produce(settings, EVENTS // 4, seed)
            wait_until_more_than(before, settings, "entity", running["entity"])
            kill(settings, server)
            time.sleep(GONE_S)
            supervisor.up()
        produce(settings, EVENTS // 4, seed=3)
        wait_until_counted(settings, running)
        assert [worker.stop() for worker in running.values()] == [0, 0]
        verdict = verify(settings)
    assert verdict.examples == []
    assert verdict.events >= EVENTS * 0.99
    assert verdict.compared > 300
    for worker in running.values():
        assert "Redis went away" in worker.log
        assert "Traceback" not in worker.log
