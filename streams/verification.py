"""Compares every online feature with the recount of the event logs. What the demo runs at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import TopicPartition

from feature_repo.vector_reader import VectorReader
from feature_repo.vectors import split_entity, windows
from infra import kafka, redis
from infra.settings import Settings
from infra.topics import Topics
from streams import reference
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import EVENT_TYPES, Event, EventName
from streams.contracts.placement import check_placement
from streams.contracts.rejection import Rejected
from streams.dictionary_topic import published_forms
from streams.exactly_once import RedisCheckpoints
from streams.log_reader import log_reader

_COMPARE_BATCH = 2_000
_MOST_EXAMPLES = 10


@dataclass
class Verdict:
    """What a comparison found."""

    events: int = 0
    compared: int = 0
    """Entities; each is a vector of windows x metrics."""
    mismatches: int = 0
    examples: list[str] = field(default_factory=list)

    def differ(self, example: str) -> None:
        """One vector is not what the recount says."""
        self.mismatches += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(example)


class Backlog:
    """How many records the stages have still to count, by their checkpoints."""

    def __init__(self, settings: Settings) -> None:
        self._topics = Topics.of(settings)
        self._partitions = range(settings.partitions)
        self._checkpoints = RedisCheckpoints(redis.connect(settings.checkpoint_redis_url), settings.topic_prefix)
        self._consumer = kafka.consumer(settings, "verification")

    def records(self) -> int:
        """Records of the event and delta topics past the stages' checkpoints; 0 when they have caught up."""
        behind = 0
        for stage, inputs in (("shopper", self._topics.events), ("entity", (self._topics.deltas,))):
            for partition in self._partitions:
                offsets = self._checkpoints.offsets(f"{stage}/{partition}")
                for topic in inputs:
                    _, end = self._consumer.get_watermark_offsets(TopicPartition(topic.name, partition))
                    behind += end - offsets.get((topic.name, partition), 0)
        return behind

    def produced(self) -> int:
        """Records in the event topics."""
        return sum(
            self._consumer.get_watermark_offsets(TopicPartition(topic.name, partition))[1]
            for topic in self._topics.events
            for partition in self._partitions
        )

    def close(self) -> None:
        """Close the connection to Kafka."""
        self._consumer.close()


def verify(
    settings: Settings,
    history: Callable[[EventName, int], Iterable[Event]] = lambda name, partition: (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Verdict:
    """Recount the logs (`history` first, then the event topics from their beginning) and compare all vectors.

    Keywords count under the published dictionary. The online store may hold no vector that the recount lacks, unless it
    is 0.

    Each vector is compared at its own as-of time. Run it when the stages have caught up and producers pause, else
    events under way count as mismatches.

    Args:
        history: events of a log (event type, partition) that came before its topic's first record.
        progress: told how many entities of how many are compared.

    Raises:
        IncompleteDictionary: the topic holds part of one.
    """
    logs: dict[tuple[str, int], list[Event]] = {
        (name, partition): list(history(name, partition))
        for name in EVENT_TYPES
        for partition in range(settings.partitions)
    }
    for log, event in _events(settings):
        logs[log].append(event)
    tiles = reference.recount(logs, settings.late_horizon_ms, settings.attribution_window_ms, published_forms(settings))
    verdict = Verdict(events=sum(map(len, logs.values())))
    reader = VectorReader(redis.connect(settings.online_redis_url), settings)
    of_kind: dict[str, list[str]] = defaultdict(list)
    for name in tiles:
        kind, key = split_entity(name)
        of_kind[kind].append(key)
    for kind, keys in of_kind.items():
        for start in range(0, len(keys), _COMPARE_BATCH):
            _compare(verdict, reader, tiles, kind, keys[start : start + _COMPARE_BATCH], settings)
            progress(verdict.compared, len(tiles))
    _look_for_unfounded(verdict, reader, tiles)
    return verdict


def _look_for_unfounded(verdict: Verdict, reader: VectorReader, tiles: reference.Tiles) -> None:
    """Vectors that count something for entities of which no event tells."""
    others: dict[str, list[str]] = defaultdict(list)
    for kind, key in reader.entities():
        if f"{kind}:{key}" not in tiles:
            others[kind].append(key)
    for kind, keys in others.items():
        sums, as_ofs = reader.vectors(kind, keys)
        for row in np.flatnonzero(sums.any(axis=1)).tolist():
            found = sums[row].astype(np.int64).tolist()
            verdict.differ(f"{kind}:{keys[row]} as of {as_ofs[row]}: online {found}, no event tells of it")


def _compare(
    verdict: Verdict, reader: VectorReader, tiles: reference.Tiles, kind: str, keys: list[str], settings: Settings
) -> None:
    counted_in = windows(settings.windows)
    sums, as_ofs = reader.vectors(kind, keys)
    for key, online, as_of in zip(keys, sums, as_ofs, strict=True):
        expected = reference.window_sums(tiles[f"{kind}:{key}"], counted_in, int(as_of))
        verdict.compared += 1
        if as_of == 0 or not np.array_equal(online, np.array(expected, np.float64)):
            found = online.astype(np.int64).tolist() if as_of else "nothing"
            verdict.differ(f"{kind}:{key} as of {as_of}: online {found}, recounted {expected}")


def _events(settings: Settings) -> Iterator[tuple[tuple[str, int], Event]]:
    """Every valid event of the event topics, each partition in the order of its offsets."""
    decoder = EventDecoder(settings)
    with log_reader(settings, "verification") as reader:
        for topic, name in zip(Topics.of(settings).events, EVENT_TYPES, strict=True):
            for record in reader.until_now(topic):
                with suppress(Rejected):
                    event = decoder.decode(name, record.value, record.time_ms)
                    check_placement(record.key, event.shopper, record.partition, topic.partitions)
                    yield (name, record.partition), event
