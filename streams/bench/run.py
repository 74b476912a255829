"""The benchmark in one go: events, their backfill, then each contender on topics of its own, then the profile."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra import redis
from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.settings import Settings
from infra.stack import state
from infra.stack.supervisor import Supervisor
from streams.app import STAGES
from streams.bench import events, limit, pipeline, plain, profiling
from streams.bench.offline import backfill
from streams.bench.processes import Pids
from streams.bench.report import Events, Machine, Profile, Report, Result, ratios

Progress = Callable[[str, int, int], None]
"""Told a step, how much of it is done, and of how much (0: not known)."""


@dataclass(frozen=True)
class Size:
    """How much each contender gets."""

    events: int = 2_000_000
    hours: float = 1.0
    """Event time that the events span."""
    plain_events: int = 20_000
    profile_events: int = 200_000


class ServersGiven(Failure):
    """The settings name servers of the user's own."""

    exit_code = 2


def on_own_servers(settings: Settings, size: Size, progress: Progress, tell: Callable[[str], None] = print) -> Report:
    """Run the benchmark on servers that are started for it and thrown away after it.

    Raises:
        ServersGiven: the benchmark empties its servers, so it takes no others than its own.
        Unavailable: there is no real Kafka to be had on this machine.
    """
    if given := sorted(settings.model_fields_set & _SERVERS):
        raise ServersGiven(
            f"the benchmark empties its servers, so it only runs on its own; unset KEYPULSE_{given[0].upper()}"
        )
    own = settings.model_copy(update={"home": settings.home / "bench"})
    supervisor = Supervisor(own, tell, tied=True, embedded_broker=False)
    supervisor.reset()
    try:
        started = {part.name: part for part in supervisor.up()}
        urls = {part.setting: part.url for part in started.values()}
        pids = {name: part.pid for name, part in started.items() if part.pid and part.setting in _USED}
        return run(own.model_copy(update=urls), size, pids, state.parts(own), SystemClock(), progress)
    finally:
        supervisor.reset()


_USED = {"kafka_servers", "checkpoint_redis_url", "online_redis_url"}
_SERVERS = _USED | {"milvus_uri"}


def run(
    settings: Settings,
    size: Size,
    servers: Pids,
    parts: dict[str, dict[str, str]],
    clock: Clock,
    progress: Progress = lambda step, done, of: None,
) -> Report:
    """Run all contenders on the servers of `settings`, whose online store and checkpoints are emptied for each.

    Args:
        servers: process of each server, by name, as far as they run on this machine; for their CPU time.
        parts: kind and version of each server, for the report.
    """
    load_before = os.getloadavg()[0]
    folder = settings.home.absolute() / "bench-history"
    progress("making events", 0, 0)
    offline = {"history": events.make(folder, size.events, size.hours, settings, clock)}
    progress("backfill", 0, 0)
    offline["backfill"] = backfill(folder, settings.model_copy(update={"home": settings.home / "backfill"}))

    ours, sent = _sent("keypulse", folder, size.events, settings, progress)
    results: dict[str, Result] = {}
    # The first one to read warms the broker up (a JVM) and is not counted.
    for step in ("warming the broker up", "limit"):
        progress(step, 0, 0)
        results["limit"] = limit.run(ours, sent.total, servers)
    results["keypulse"] = pipeline.run(
        ours, sent.total, servers, clock, lambda done: progress("keypulse", done, sent.total)
    )

    theirs, few = _sent("plain", folder, size.plain_events, settings, progress)
    results["plain_agent"] = plain.run(
        theirs, few.total, servers, lambda done: progress("plain agent", done, few.total)
    )
    return Report(
        machine=Machine(
            cpus=os.cpu_count() or 0,
            python=platform.python_version(),
            load_before=round(load_before, 2),
            parts=parts,
        ),
        events=Events(
            records=sent.records,
            mean_bytes=round(sent.value_bytes / sent.total, 1),
            span_s=round((sent.last_ms - sent.first_ms) / 1_000, 1),
        ),
        results=results,
        ratios=ratios(results),
        offline=offline,
        profile=_profiles(folder, size, settings, progress),
    )


def _profiles(folder: Path, size: Size, settings: Settings, progress: Progress) -> dict[str, Profile]:
    ours, sent = _sent("profile", folder, size.profile_events, settings, progress)
    ends = {"shopper": profiling.shopper_is_done(ours, sent.total), "entity": profiling.entity_is_done(ours)}
    profiles: dict[str, Profile] = {}
    for stage in STAGES:
        progress(f"profile of the {stage} stage", 0, 0)
        profiles[stage] = profiling.run(stage, ours, sent.total, ends[stage])
    return profiles


def _sent(name: str, folder: Path, most: int, settings: Settings, progress: Progress) -> tuple[Settings, events.Sent]:
    """Settings with topics of their own, on which the events lie, and emptied stores."""
    for url in (settings.checkpoint_redis_url, settings.online_redis_url):
        redis.connect(url).flushdb()
    own = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}{name}."})
    sent = events.send(folder, own, most, lambda done: progress(f"sending events for {name}", done, most))
    return own, sent
