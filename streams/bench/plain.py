"""Runs the plain agent (`streams.bench.plain_agent`) as a process and reads its progress off its output."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from infra.settings import Settings
from streams.bench.processes import Pids, Worker, cpu_seconds, cpu_us_per_event, memory_mb, stopped_after
from streams.bench.report import Result, result
from streams.verification import verify

_START_S = 120.0
_POLL_S = 0.1
_FIRST = re.compile(r"^first (\d+)$", re.MULTILINE)
_PUSHED = re.compile(r"^pushed (\d+) (\d+)$", re.MULTILINE)


def run(
    settings: Settings, events: int, servers: Pids, progress: Callable[[int], None] = lambda records: None
) -> Result:
    """Drain the `events` records on the event topics of `settings`, then compare every vector with the recount.

    Raises:
        Ended: the agent ended.
        TimeoutError: it saw no event.
    """
    agent = Worker("plain-agent", ("streams.bench.plain_agent",), settings)
    with stopped_after(agent):
        pids = {"agent": agent.pid, **servers}
        began = int(_wait(agent, _FIRST, lambda found: True, _START_S)[1])
        cpu_began = cpu_seconds(pids)

        def all_pushed(found: re.Match[str]) -> bool:
            progress(int(found[1]))
            return int(found[1]) >= events

        ended = int(_wait(agent, _PUSHED, all_pushed, float("inf"))[2])
        cpu, memory = cpu_seconds(pids), memory_mb(pids)
    used = cpu_us_per_event(cpu_began, cpu, events)
    what = "plain Faust agent, tables, store.push"
    return result(what, events, (ended - began) / 1_000, used, memory, verify(settings))


def _wait(
    agent: Worker, line: re.Pattern[str], enough: Callable[[re.Match[str]], bool], timeout_s: float
) -> re.Match[str]:
    """The last such line of the agent's output, once it says enough."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = list(line.finditer(agent.log.read_text(errors="replace")))
        if found and enough(found[-1]):
            return found[-1]
        agent.check_alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{agent.name}: no event after {timeout_s:.0f} s; its log is {agent.log}")
        time.sleep(_POLL_S)
