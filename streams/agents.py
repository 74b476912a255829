"""What happens with the low-rate topics: catalogue, campaigns, feedback and keyword discovery.

Each agent is a plain class that takes a batch of records, writes state, and returns the messages that follow; a record
that can't be used becomes a dead letter, and too many of them stop the worker. `register` mounts agents on a Faust app.
Batches come at least once: writing a row again is harmless, and so is a signal told twice.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zlib import crc32

import msgspec

from feature_repo.states import Value
from feature_repo.vectors import entity
from infra import metrics
from infra.clock import Clock
from infra.log import get_logger
from infra.settings import Settings
from infra.topics import Topic, Topics
from streams.deadletter import DeadLetters
from streams.decoding import MessageDecoder
from streams.exactly_once import Outgoing
from streams.live_items import LiveItems, Move, RedisLiveItems
from streams.messages import (
    CampaignState,
    Envelope,
    Feedback,
    KeywordsSeen,
    ProductState,
    Signal,
    Signals,
)
from streams.rejection import Rejected
from streams.reload import reload_if_emptied
from streams.stage import Publisher, Record

if TYPE_CHECKING:
    import faust
    from redis import Redis, RedisCluster

    from feature_repo.state_writer import StateSink
    from feature_repo.vector_reader import OnlineSource, StateRow

log = get_logger(__name__)

_BATCH = 500
_LINGER_S = 0.1
_RELOAD_INTERVAL_S = 5.0

AGENTS_GROUP = "keypulse-agents"
"""Their consumer group, and so the name of the Faust app, after the topic prefix."""
_UNCOUNTED = Envelope("", 0, 0)


class Agent(Protocol):
    """Takes the records of one topic."""

    name: str
    topic: Topic

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Write what the records say; the messages to send once that is done. Blocks."""
        ...


class KeywordIndex(Protocol):
    """Where keywords can be found: the scorers' index, handed in from above."""

    def add(self, keywords: Sequence[tuple[str, str]]) -> None:
        """Add keywords (canonical, as typed) that it lacks."""
        ...


class CatalogueAgent:
    """Products into the online store, with the number of live items of each category.

    Two workers that touch a category at the same moment may leave the number that was right just before; the next
    change of the category mends it.
    """

    name = "catalogue"

    def __init__(self, settings: Settings, source: OnlineSource, sink: StateSink, live: LiveItems) -> None:
        self._topics = Topics.of(settings)
        self.topic = self._topics.product_state
        self._letters = DeadLetters(settings)
        self._source = source
        self._sink = sink
        self._live = live
        self._decoder = MessageDecoder(ProductState, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """The last state of each item stands. Signals tell of products that came, went or changed."""
        states, letters = _last_of_each(records, self._decoder, self._letters, now_ms)
        if not states:
            return letters
        before = dict(zip(states, self._source.rows("product", list(states)), strict=True))
        after = {item: None if state is None else _product_row(state) for item, state in states.items()}
        moves = [Move(item, _category(before[item]), _category(after[item])) for item in states]
        # Sets first: should a crash come in between, the old row still says which set the item has to leave.
        self._live.move([move for move in moves if move.before != move.after])
        self._sink.write("product", [row | {"item": item} for item, row in after.items() if row is not None])
        self._sink.delete("product", [item for item, row in after.items() if row is None])
        self._write_counts({category for move in moves for category in move[1:] if category is not None}, now_ms)
        signals = [
            Signal(entity=entity("item", item), cause=cause)
            for item in states
            if (cause := _what_happened(before[item], after[item])) is not None
        ]
        return letters + signal_messages(signals, self._topics.signals, now_ms)

    def _write_counts(self, categories: Iterable[str], now_ms: int) -> None:
        counts = self._live.counts(categories)
        self._sink.write(
            "category_items",
            [{"category": name, "live_items": count, "updated_at": now_ms} for name, count in counts.items()],
        )


def _product_row(state: ProductState) -> dict[str, Value]:
    return {
        "title": state.title,
        "category": state.category,
        "category_path": state.category_path,
        "price": state.price,
        "shipping": state.shipping,
        "condition": state.condition,
        "brand": state.brand,
        "seller": state.seller,
        "specification": msgspec.json.encode(state.specification).decode(),
        "updated_at": state.updated_at,
    }


def _category(row: StateRow | None) -> str | None:
    return None if row is None else str(row["category"])


def _what_happened(before: StateRow | None, after: StateRow | None) -> str | None:
    """The cause to tell, None when nothing but the time of the update differs."""
    if after is None:
        return "closed" if before is not None else None
    if before is None:
        return "created"
    return "changed" if before | {"updated_at": None} != after | {"updated_at": None} else None


class CampaignAgent:
    """Campaigns into the online store, and a signal for each that was created, changed or closed."""

    name = "campaigns"

    def __init__(self, settings: Settings, source: OnlineSource, sink: StateSink) -> None:
        self._topics = Topics.of(settings)
        self.topic = self._topics.campaign_state
        self._letters = DeadLetters(settings)
        self._source = source
        self._sink = sink
        self._decoder = MessageDecoder(CampaignState, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """The last state of each campaign stands.

        Every campaign in the batch is told of, even if its row is as it was: after a crash between row and signal there
        is no telling whether the signal was sent.
        """
        states, letters = _last_of_each(records, self._decoder, self._letters, now_ms)
        if not states:
            return letters
        known = dict(zip(states, self._source.rows("campaign", list(states)), strict=True))
        self._sink.write("campaign", [_campaign_row(state) for state in states.values() if state is not None])
        self._sink.delete("campaign", [campaign for campaign, state in states.items() if state is None])
        signals = []
        for campaign, state in states.items():
            if state is None or state.status == "ended":
                cause = "closed"
            else:
                cause = "created" if known[campaign] is None else "changed"
            signals.append(Signal(entity=entity("campaign", campaign), cause=cause))
        return letters + signal_messages(signals, self._topics.signals, now_ms)


def _campaign_row(state: CampaignState) -> dict[str, Value]:
    return {
        "campaign": state.campaign,
        "state": msgspec.json.encode(state).decode(),
        "status": state.status,
        "seller": state.seller,
        "category": state.category,
        "updated_at": state.updated_at,
    }


class FeedbackAgent:
    """Feedback is checked and counted. Scoring workers read the topic themselves for what their sellers dismissed."""

    name = "feedback"

    def __init__(self, settings: Settings) -> None:
        self.topic = Topics.of(settings).feedback
        self._letters = DeadLetters(settings)
        self._decoder = MessageDecoder(Feedback, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        letters = []
        for record in records:
            try:
                feedback = self._decoder.decode(record.value or b"")
            except Exception as error:
                letters.append(self._letters.bad(record, error, now_ms))
            else:
                self._letters.good(record)
                metrics.FEEDBACK.labels(feedback.action).inc()
        return letters


class DiscoveryAgent:
    """Keywords that shoppers typed for the first time, into the index, so that they can be suggested."""

    name = "discovery"

    def __init__(self, topics: Topics, index: KeywordIndex) -> None:
        self.topic = topics.keywords_seen
        self._index = index
        self._decoder = msgspec.msgpack.Decoder(KeywordsSeen)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Several partitions report a keyword each, and again after a crash: the first text of each is handed on."""
        texts: dict[str, str] = {}
        for record in records:
            for canonical, text in self._decoder.decode(record.value or b"").keywords:
                texts.setdefault(canonical, text)
        if texts:
            self._index.add(list(texts.items()))
        return []


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


def signal_messages(signals: Iterable[Signal], topic: Topic, now_ms: int) -> list[Outgoing]:
    """Signals packed into one message for each partition of the topic, in the entities' partitions."""
    by_partition: dict[int, list[Signal]] = defaultdict(list)
    for signal in signals:
        by_partition[crc32(signal.entity.encode()) % topic.partitions].append(signal)
    return [
        Outgoing(topic.name, partition, None, msgspec.msgpack.encode(Signals(_UNCOUNTED, now_ms, packed)))
        for partition, packed in sorted(by_partition.items())
    ]


_State = TypeVar("_State", CampaignState, ProductState)


def _last_of_each(
    records: Sequence[Record], decoder: MessageDecoder[_State], letters: DeadLetters, now_ms: int
) -> tuple[dict[str, _State | None], list[Outgoing]]:
    """The newest state by key, None for a tombstone; and dead letters of what is no state."""
    states: dict[str, _State | None] = {}
    buried = []
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        try:
            state = decoder.decode(record.value) if record.value else None
            _check_key(key, state)
        except Exception as error:  # one record's trouble, be it our fault, must not stop the others
            buried.append(letters.bad(record, error, now_ms))
        else:
            letters.good(record)
            states[key] = state
    return states, buried


def _check_key(key: str, state: CampaignState | ProductState | None) -> None:
    """Compaction keeps the last record of each key, so the key must name what the record is of."""
    if state is None:
        field, name = "$", key or None
    elif isinstance(state, CampaignState):
        field, name = "$.campaign", state.campaign
    else:
        field, name = "$.item", state.item
    if key != name:
        raise Rejected("invalid", field, f"got {name!r} under the record key {key!r}; send the same as key and here")


# --- Faust -------------------------------------------------------------------------------------------------------


def register(
    app: faust.App,
    settings: Settings,
    online: Redis | RedisCluster,
    agents: Iterable[Agent],
    publisher: Publisher,
    clock: Clock,
) -> None:
    """Mount agents on a Faust app. Values and keys go in as bytes; state writes block, so they run in a thread.

    A batch is acknowledged once its messages are. A batch that fails crashes the worker, which begins with it again
    when it restarts: Faust itself would go on with the next one, and commit past the one that failed.
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
                log.error("agent %s failed", agent.name)
                await app.crash(error)
                raise
            for event in events:
                await stream.ack(event)

    app.agent(topic, name=agent.name)(run)

    def reload(partitions: Sequence[int]) -> None:
        with busy:
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
