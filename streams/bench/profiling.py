"""Where a stage's time goes, by samples of its thread.

A timer interrupts the thread every few milliseconds, and what has passed since the last sample (its CPU time, and apart
from that what it waited) is put down to the function at hand. Unlike a tracing profiler this does not slow the many
small functions of a hot path, of which the shares would come out too large.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from infra import redis
from infra.settings import Settings
from streams.app import StageName, stage_service
from streams.bench.report import Function, Profile
from streams.exactly_once import RedisCheckpoints
from streams.verification import Backlog

_EVERY_S = 0.002
_POLL_S = 0.1
_MOST_FUNCTIONS = 40
_FOLDERS = ("streams", "feature_repo", "infra")

GROUPS = {
    "streams.service": "consume",
    "streams.topic_readers": "consume",
    "streams.contracts.decoding": "decode",
    "streams.contracts.events": "decode",
    "streams.deduplication": "deduplicate",
    "streams.shopper_stage.ShopperStage.judge": "deduplicate",
    "streams.attribution": "attribute",
    "streams.normal_form": "normal form",
    "streams.canonical": "normal form",
    "streams.folding": "normal form",
    "streams.shopper_stage": "count and pack",
    "streams.entity_stage": "add up",
    "streams.entity_stage.EntityStage._flush": "vectors",
    "streams.entity_stage.EntityStage._outgoing": "vectors",
    "streams.entity_stage.EntityStage._feature_rows": "vectors",
    "streams.entity_stage.EntityStage.before_publish": "vectors",
    "streams.entity_stage.EntityStage.snapshot": "checkpoint",
    "streams.shopper_stage.ShopperStage.snapshot": "checkpoint",
    "streams.signals": "vectors",
    "streams.windows": "windows",
    "feature_repo.vector_writer": "vectors",
    "feature_repo.codec": "vectors",
    "streams.exactly_once": "checkpoint",
    "streams.stage": "consume",
    "streams.publisher": "publish",
    "streams.bench": "the sampler",
}
"""Group of a module, or of a function where it differs. A function's own time includes what it calls outside of ours:
`msgspec`, `numpy`, the Redis client."""
OTHER = "other"


class Sampler:
    """Takes samples of the main thread while it is `running`."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.waiting_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample what happens inside. In the main thread only."""
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        before = signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        name = _ours(frame)
        self.cpu_s[name] += cpu - self._cpu
        self.waiting_s[name] += max(0.0, wall - self._wall - (cpu - self._cpu))
        self._wall, self._cpu = time.perf_counter(), time.thread_time()


def _ours(frame: FrameType | None) -> str:
    """The innermost function of ours."""
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in _FOLDERS:
            return f"{module}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return OTHER


def group_of(function: str) -> str:
    """The group of a function, by the longest part of its name that `GROUPS` knows."""
    while function:
        if function in GROUPS:
            return GROUPS[function]
        function = function.rpartition(".")[0]
    return OTHER


def run(stage: StageName, settings: Settings, events: int, end: Callable[[], bool]) -> Profile:
    """Run a stage in this thread, sampled, until `end` says so (asked now and then in another thread)."""
    service = stage_service(stage, settings)

    def stop_at_end() -> None:
        while not end():
            time.sleep(_POLL_S)
        service.stop()

    watch = threading.Thread(target=stop_at_end, daemon=True)
    sampler = Sampler()
    watch.start()
    with sampler.running():
        service.run()
    return _profile(sampler, events)


def shopper_is_done(settings: Settings, events: int) -> Callable[[], bool]:
    """Whether the shopper stage's checkpoints stand behind `events` events."""
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    owners = [f"shopper/{number}" for number in range(settings.partitions)]
    return lambda: sum(sum(checkpoints.offsets(owner).values()) for owner in owners) >= events


def entity_is_done(settings: Settings) -> Callable[[], bool]:
    """Whether both stages' checkpoints stand at the end of their topics."""
    backlog = Backlog(settings)
    return lambda: backlog.records() == 0


def _profile(sampler: Sampler, events: int) -> Profile:
    return Profile(
        events=events,
        cpu_us_per_event=_by_group(sampler.cpu_s, events),
        waiting_us_per_event=_by_group(sampler.waiting_s, events),
        functions=[
            Function(name=name, group=group_of(name), cpu_us_per_event=round(seconds * 1e6 / events, 3))
            for name, seconds in _greatest_first(sampler.cpu_s)[:_MOST_FUNCTIONS]
        ],
    )


def _by_group(seconds_of: dict[str, float], events: int) -> dict[str, float]:
    groups: dict[str, float] = defaultdict(float)
    for name, seconds in seconds_of.items():
        groups[group_of(name)] += seconds
    return {name: round(seconds * 1e6 / events, 3) for name, seconds in _greatest_first(groups)}


def _greatest_first(seconds_of: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds_of.items(), key=lambda item: -item[1])
