"""Our pipeline under test: both stages as the processes that run in production, from a full topic to the last vector.

The clock starts when the shopper stage owns its partitions, just before its first consume; the entity stage waits for
it. It stops at the time stamp of the last feature-log message that events led to: a stage writes vectors to the online
store before it sends that message, so they are readable by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.request import urlopen

import msgspec

from infra import redis
from infra.clock import Clock
from infra.settings import Settings
from infra.stack.server import free_port
from infra.topics import Topics
from streams.bench.processes import Pids, Worker, cpu_seconds, cpu_us_per_event, memory_mb, stopped_after
from streams.bench.report import Result, result
from streams.contracts.messages import FeatureRows
from streams.exactly_once import RedisCheckpoints
from streams.log_reader import log_reader
from streams.verification import Backlog, verify

_START_S = 120.0
_WATCH_S = 0.02
_POLL_S = 0.2


def run(
    settings: Settings,
    events: int,
    servers: Pids,
    clock: Clock,
    progress: Callable[[int], None] = lambda records: None,
) -> Result:
    """Drain the `events` records on the event topics of `settings`, then compare every vector with the recount.

    Raises:
        Ended: a worker ended.
        TimeoutError: a worker did not get its partitions.
    """
    entity, _ = _started("entity", settings, clock)
    with stopped_after(entity):
        shopper, began = _started("shopper", settings, clock)
        with stopped_after(shopper):
            pids = {"shopper": shopper.pid, "entity": entity.pid, **servers}
            cpu_began = cpu_seconds(pids)
            _wait_until_counted(settings, events, (shopper, entity), progress)
            # The last vectors wait until the entities they belong to are due again.
            time.sleep((settings.entity_interval_ms + 2 * settings.vector_interval_ms) / 1_000)
            cpu, memory = cpu_seconds(pids), memory_mb(pids)
    seconds = (_last_vector_ms(settings) - began) / 1_000
    return result("keypulse", events, seconds, cpu_us_per_event(cpu_began, cpu, events), memory, verify(settings))


def _started(stage: str, settings: Settings, clock: Clock) -> tuple[Worker, int]:
    """A worker that owns all partitions, and the last moment (ms) at which it was seen without."""
    port = free_port()
    module = ("keypulse", "streams", "run", "--stages", stage, "--instance", "bench")
    worker = Worker(stage, module, settings, keyword_index="", metrics_port=port)
    deadline = time.monotonic() + _START_S
    without = clock.now_ms()
    try:
        while True:
            now = clock.now_ms()
            if _partitions_owned(port) == settings.partitions:
                return worker, without
            without = now
            worker.check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{stage}: no partitions after {_START_S:.0f} s; its log is {worker.log}")
            time.sleep(_WATCH_S)
    except BaseException:
        worker.stop()
        raise


def _partitions_owned(port: int) -> int:
    """What the worker's metrics say; 0 before they answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("keypulse_partitions_owned{"))


def _wait_until_counted(
    settings: Settings, events: int, workers: tuple[Worker, ...], progress: Callable[[int], None]
) -> None:
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    backlog = Backlog(settings)
    try:
        while True:
            owners = [f"shopper/{number}" for number in range(settings.partitions)]
            done = sum(sum(checkpoints.offsets(owner).values()) for owner in owners)
            progress(done)
            if done >= events and backlog.records() == 0:
                return
            for worker in workers:
                worker.check_alive()
            time.sleep(_POLL_S)
    finally:
        backlog.close()


def _last_vector_ms(settings: Settings) -> int:
    """Time of the last feature-log message with vectors that events led to; the sweep's own follow it."""
    with log_reader(settings, "bench") as reader:
        return max(
            record.time_ms
            for record in reader.until_now(Topics.of(settings).features_log)
            if msgspec.msgpack.decode(record.value or b"", type=FeatureRows).event_times
        )
