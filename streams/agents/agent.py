"""What an agent is, which ones there are, and how they are mounted on a Faust app."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from infra import metrics
from infra.clock import Clock
from infra.log import get_logger
from infra.outage import outage, start_over, survived
from infra.settings import Settings
from infra.topics import Topic, Topics
from streams.agents.campaigns import CampaignAgent
from streams.agents.catalogue import CatalogueAgent
from streams.agents.discovery import DiscoveryAgent, KeywordIndex
from streams.agents.feedback import FeedbackAgent
from streams.agents.live_items import RedisLiveItems
from streams.agents.reload import reload_if_emptied
from streams.exactly_once import Outgoing
from streams.stage import Publisher, Record

if TYPE_CHECKING:
    import faust
    from redis import Redis, RedisCluster

log = get_logger(__name__)

_BATCH = 500
_LINGER_S = 0.1
_RELOAD_INTERVAL_S = 5.0

AGENTS_GROUP = "keypulse-agents"
"""Their consumer group, and so the name of the Faust app, after the topic prefix."""


class Agent(Protocol):
    """Takes the records of one topic."""

    name: str
    topic: Topic

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Write what the records say; the messages to send once that is done. Blocks."""
        ...


def make_agents(settings: Settings, online: Redis | RedisCluster, index: KeywordIndex | None = None) -> list[Agent]:
    """All agents over the `online` store; keyword discovery only with an `index` to add to."""
    from feature_repo.state_writer import StateWriter
    from feature_repo.vector_reader import VectorReader

    source, sink = VectorReader(online, settings), StateWriter(online)
    agents: list[Agent] = [
        CatalogueAgent(settings, source, sink, RedisLiveItems(online)),
        CampaignAgent(settings, source, sink),
        FeedbackAgent(settings),
    ]
    return agents if index is None else [*agents, DiscoveryAgent(Topics.of(settings), index)]


def register(
    app: faust.App,
    settings: Settings,
    online: Redis | RedisCluster,
    agents: Iterable[Agent],
    publisher: Publisher,
    clock: Clock,
) -> None:
    """Mount agents on a Faust app. Values and keys go in as bytes; state writes block, so they run in a thread.

    A batch is acknowledged once its messages are. A batch that fails crashes the worker (or makes it start over, when a
    server went away), which begins with it again: Faust itself would go on with the next one, and commit past the one
    that failed.
    """
    for agent in agents:
        _register(app, settings, online, agent, publisher, clock)


def _register(
    app: faust.App,
    settings: Settings,
    online: Redis | RedisCluster,
    agent: Agent,
    publisher: Publisher,
    clock: Clock,
) -> None:
    topic = app.topic(agent.topic.name, key_serializer="raw", value_serializer="raw")
    busy = threading.Lock()

    def take(records: Sequence[Record]) -> None:
        with busy:
            publisher.publish(agent.handle(records, clock.now_ms()))
        metrics.AGENT_RECORDS.labels(agent.name).inc(len(records))

    async def run(stream: Any) -> None:
        async for events in stream.noack_take(_BATCH, within=_LINGER_S):
            try:
                await asyncio.to_thread(take, [_record(event.message) for event in events])
            except Exception as error:
                if why := outage(error):
                    start_over(why)
                log.error("agent %s failed", agent.name)
                await app.crash(error)
                raise
            for event in events:
                await stream.ack(event)

    app.agent(topic, name=agent.name)(run)

    def reload(partitions: Sequence[int]) -> None:
        with busy, survived():
            reload_if_emptied(settings, online, agent, partitions, AGENTS_GROUP, clock)

    async def reload_if_needed() -> None:
        owned = [tp.partition for tp in app.consumer.assignment() if tp.topic == agent.topic.name]
        await asyncio.to_thread(reload, owned)

    if agent.topic.cleanup == "compact":
        app.timer(_RELOAD_INTERVAL_S)(reload_if_needed)


def _record(message: Any) -> Record:
    """The record of a Faust message, whose time stamp is in seconds."""
    return Record(
        message.topic, message.partition, message.offset, message.key, message.value, int(message.timestamp * 1_000)
    )
