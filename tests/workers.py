"""Streams workers as processes of their own, events for them, and how far they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from infra import kafka, redis
from infra.clock import SystemClock
from infra.settings import Settings, environment
from infra.topics import Topics
from streams.contracts.events import EVENT_TYPES
from streams.exactly_once import RedisCheckpoints
from streams.verification import Backlog
from tests.random_events import random_events


class Worker:
    """A streams worker as a process of its own."""

    def __init__(self, settings: Settings, stage: str, folder: Path) -> None:
        self._stage = stage
        self._log = folder / f"{stage}.log"
        names = ("kafka_servers", "checkpoint_redis_url", "online_redis_url", "milvus_uri", "topic_prefix", "home")
        self._environment = os.environ | environment(settings, *names)
        # Small batches, so that there is a middle to be killed in; no index, as keywords are not what is tested.
        self._environment |= {"KEYPULSE_KEYWORD_INDEX": "", "KEYPULSE_BATCH_RECORDS": "200"}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "keypulse", "streams", "run", "--stages", self._stage, "--instance", "one"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(30)

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            self.fail("it ended")

    def fail(self, why: str) -> NoReturn:
        pytest.fail(f"{self._stage}: {why}\n{self.log[-8_000:]}")


@contextmanager
def workers(settings: Settings, folder: Path) -> Iterator[dict[str, Worker]]:
    running = {stage: Worker(settings, stage, folder) for stage in ("shopper", "entity")}
    try:
        yield running
    finally:
        for worker in running.values():
            worker.kill()


def produce(settings: Settings, count: int, seed: int) -> None:
    topics = dict(zip(EVENT_TYPES, Topics.of(settings).events, strict=True))
    producer = kafka.producer(settings)
    start = SystemClock().now_ms() - 30_000
    for number, (name, event) in enumerate(random_events(count, start, 30_000 / count, seed)):
        producer.produce(topics[name].name, msgspec.json.encode(event), event.shopper)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()


def counted(settings: Settings, stage: str) -> int:
    """How many records the stage has counted, by its checkpoints."""
    checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
    return sum(sum(checkpoints.offsets(f"{stage}/{number}").values()) for number in range(settings.partitions))


def wait_until_more_than(before: int, settings: Settings, stage: str, worker: Worker) -> None:
    deadline = time.monotonic() + 60
    while counted(settings, stage) <= before:
        if time.monotonic() > deadline:
            worker.fail("counted nothing in 60 s")
        time.sleep(0.01)


def wait_until_counted(settings: Settings, running: dict[str, Worker]) -> None:
    """Wait until both stages' checkpoints stand at the ends of their topics."""
    backlog = Backlog(settings)
    deadline = time.monotonic() + 120
    while behind := backlog.records():
        for worker in running.values():
            worker.check_alive()
        if time.monotonic() > deadline:
            pytest.fail(f"{behind} records not counted after 120 s")
        time.sleep(0.2)
    backlog.close()
    time.sleep(settings.entity_interval_ms / 1_000 + 1)  # vectors that are due are written
