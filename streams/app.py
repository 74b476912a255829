"""The streams worker: a Faust app that hosts the two stages as services and owns agents and timers.

A stage consumes in batches in a thread of its own (Faust handles some 10k events a second, one by one). It lives and
dies with the worker: a stage that fails or hangs crashes the worker, one whose server went away makes it start over,
and a worker that is told to stop lets the batch at hand end.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Literal

import faust
from mode import Service

from feature_repo.vector_reader import VectorReader
from feature_repo.vector_writer import VectorWriter
from infra import kafka, metrics, redis
from infra.clock import SystemClock
from infra.log import get_logger
from infra.outage import outage, start_over, survived
from infra.settings import Settings
from infra.topics import Topics
from streams import faust_security
from streams.agents.agent import AGENTS_GROUP, make_agents, register
from streams.agents.discovery import KeywordIndex
from streams.agents.live_items import RedisLiveItems
from streams.deadletters import buried
from streams.dictionary_topic import published_forms
from streams.drift import watch as drift_watch
from streams.entity_stage import EntityStage
from streams.exactly_once import RedisCheckpoints
from streams.publisher import KafkaPublisher
from streams.service import StageService
from streams.shopper_stage import ShopperStage
from streams.stage import Stage

log = get_logger(__name__)

StageName = Literal["shopper", "entity"]
STAGES: tuple[StageName, ...] = ("shopper", "entity")

_STOP_S = 20.0
_HANGS_AFTER_MS = 60_000
_HEARTBEAT_S = 5.0


class HostedStage(Service):
    """A `StageService` as part of the Faust worker."""

    def __init__(self, name: StageName, service: StageService, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._name = name
        self._service = service
        self._clock = SystemClock()

    async def on_start(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = loop.create_future()
        # A daemon, so that a hung stage cannot keep a crashed worker alive.
        self._thread = threading.Thread(target=self._run, args=(loop,), name=self._name, daemon=True)
        self._thread.start()

    async def on_stop(self) -> None:
        self._service.stop()
        await asyncio.to_thread(self._thread.join, _STOP_S)

    @Service.task
    async def _watch_end(self) -> None:
        await self._ended

    @Service.task
    async def _watch_heartbeat(self) -> None:
        while not self.should_stop:
            await self.sleep(_HEARTBEAT_S)
            silent_ms = self._clock.now_ms() - self._service.heartbeat_ms
            if silent_ms > _HANGS_AFTER_MS:
                raise TimeoutError(f"{self._name} stage: its loop has not gone round for {silent_ms // 1_000} s")

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        failure: BaseException | None = None
        try:
            self._service.run()
        except BaseException as error:
            if why := outage(error):
                start_over(why)
            failure = error
        loop.call_soon_threadsafe(self._end, failure)

    def _end(self, failure: BaseException | None) -> None:
        if self._ended.done():
            return
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)


def stage_service(name: StageName, settings: Settings, instance: str = "") -> StageService:
    """The batch loop of one stage on the servers that `settings` names.

    Raises:
        IncompleteDictionary: the topic holds part of one.
    """
    topics = Topics.of(settings)
    checkpoint_redis = redis.connect(settings.checkpoint_redis_url)
    checkpoints = RedisCheckpoints(checkpoint_redis, settings.topic_prefix)
    if name == "shopper":
        forms = published_forms(settings)
        log.info("keywords count under %s", f"dictionary {forms.version}" if forms.version else "their normal form")

        def make_stage(partition: int) -> Stage:
            known_bad = buried.load(checkpoint_redis, settings, partition)
            return ShopperStage(partition, settings, topics, known_bad, forms)
    else:
        store = VectorWriter(redis.connect(settings.online_redis_url), settings)

        def make_stage(partition: int) -> Stage:
            return EntityStage(partition, settings, topics, store)

    inputs = topics.events if name == "shopper" else (topics.deltas,)
    return StageService(f"keypulse-{name}", inputs, make_stage, settings, checkpoints, SystemClock(), instance)


def make_app(settings: Settings, stages: Iterable[StageName], instance: str) -> faust.App:
    """The Faust app of one worker. `instance` names it among those of the same stages: see `StageService`."""
    stages = list(stages)
    # Two workers of one name would fence each other off, and Faust would wait for ever.
    name = "-".join(["agents", *stages, instance])
    folder = settings.faust_path / name
    folder.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        f"{settings.topic_prefix}{AGENTS_GROUP}",
        broker=f"kafka://{settings.kafka_servers}",
        broker_credentials=faust_security.credentials(settings),
        value_serializer="raw",
        key_serializer="raw",
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        consumer_group_instance_id=name,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=2.0,
        web_enabled=False,
        datadir=str(folder),
    )
    online = redis.connect(settings.online_redis_url)
    publisher = KafkaPublisher(kafka.producer(settings))
    register(app, settings, online, make_agents(settings, online, _keyword_index(settings)), publisher, SystemClock())
    source, live = VectorReader(online, settings), RedisLiveItems(online)
    drift_watch.register(app, settings, source, live, publisher, SystemClock())
    services = {stage: stage_service(stage, settings, instance) for stage in stages}
    for stage, service in services.items():
        app.service(HostedStage(stage, service, loop=app.loop, beacon=app.beacon))

    @app.timer(settings.vector_interval_ms / 1_000)
    async def sweep() -> None:
        """Time has passed: windows move on, so that a quiet entity decays, and vectors that are due are written."""
        for service in services.values():
            service.wake()

    return app


def _keyword_index(settings: Settings) -> KeywordIndex | None:
    """What `settings.keyword_index` names: the index belongs to the scorers, of which this floor knows nothing."""
    if not settings.keyword_index:
        return None
    module, _, function = settings.keyword_index.partition(":")
    index: KeywordIndex = getattr(import_module(module), function)(settings)
    return index


def run(settings: Settings, stages: Iterable[StageName], instance: str) -> None:
    """Run a worker until it is told to stop; exits the process, with 1 when something in it failed.

    Raises:
        Unreachable: a server does not answer.
        TopicMissing: topics were not created.
    """
    metrics.serve(settings.metrics_port)
    with survived():
        kafka.wait_ready(settings, *Topics.of(settings))
        app = make_app(settings, stages, instance)
    # What is loaded by now lasts: the collector need not look through it again and again.
    gc.freeze()
    faust.Worker(app, quiet=True, override_logging=False, redirect_stdouts=False).execute_from_commandline()
