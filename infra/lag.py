"""Consumer lag: how many records a group has still to read, and how old the oldest of them is.

Offsets come from the AdminClient in batched calls: one for a group's committed offsets and one for all log ends
(asking partition by partition costs 50 ms for 32 of them, this 1.5 ms). The age is interpolated between log ends seen
before, as kafka-lag-exporter does, and read off the record itself where none was seen.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.kafka import QUIET, REQUEST_S, admin, consumer, is_embedded
from infra.log import get_logger
from infra.metrics import CONSUMER_LAG, CONSUMER_LAG_SECONDS
from infra.reach import Unreachable, until_reachable
from infra.settings import Settings

log = get_logger(__name__)

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""

POINTS_KEPT = 512
TRANSIENT_S = 5.0
"""A partition that has no leader for a moment, as one just made, is asked again for this long."""
RECORD_S = 5.0
"""How long the oldest unread records are waited for before their age is given up."""


@dataclass(frozen=True)
class PartitionLag:
    """The lag of one group on one partition."""

    group: str
    topic: str
    partition: int
    committed: int | None
    """Offset of the next record to read; None when the group has committed none here."""
    end: int
    """Offset that the next record written will get."""
    lag: int
    """Records between the two."""
    lag_seconds: float | None
    """Age of the oldest of them; 0 when there is none, None when it could not be found out."""


class Timeline:
    """When the log of one partition had grown to which offset: (end offset, ms) as seen from time to time."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._times: list[int] = []

    def observe(self, end: int, time_ms: int) -> None:
        """The log ended at `end` at `time_ms`. A log that shrank was deleted and made anew: what was known is void."""
        if self._ends and end < self._ends[-1]:
            self._ends.clear()
            self._times.clear()
        if len(self._ends) >= 2 and self._ends[-2] == self._ends[-1] == end:
            self._times[-1] = time_ms  # a log at rest needs its first and last moment only
            return
        self._ends.append(end)
        self._times.append(time_ms)
        del self._ends[:-POINTS_KEPT], self._times[:-POINTS_KEPT]

    def written_at(self, offset: int) -> float | None:
        """When record `offset` was written, ms, interpolated; None when that lies outside what was seen."""
        after = bisect_right(self._ends, offset)
        if after == 0 or after == len(self._ends):
            return None
        first, last = self._ends[after - 1], self._ends[after]
        begin, end = self._times[after - 1], self._times[after]
        return begin + (offset - first) / (last - first) * (end - begin)


class LagReader:
    """Reads the lag of all groups of this deployment (those whose name begins with `topic_prefix`).

    Read it again and again from one object: what it saw before makes the age cheap.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None, group: str | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._group = group
        self._admin = admin(settings, **QUIET)
        self._timelines: dict[Place, Timeline] = defaultdict(Timeline)

    def read(self) -> list[PartitionLag]:
        """The lag now, ordered by group, topic and partition.

        Raises:
            Unreachable: the broker does not answer.
            Failure: the broker is librdkafka's embedded one, which knows no groups' offsets.
        """
        broker = f"Kafka at {self._settings.kafka_servers}"
        try:
            if until_reachable(broker, lambda: is_embedded(self._admin), TRANSIENT_S, say=log.debug):
                raise Failure("librdkafka's embedded broker keeps no lag; run Apache Kafka (make stack-deps)")
            return until_reachable(broker, self._read, TRANSIENT_S, say=log.debug)
        except Unreachable:
            self._admin = admin(self._settings, **QUIET)  # one that lived through a broker's restart may hang
            raise

    def _read(self) -> list[PartitionLag]:
        committed = {group: self._committed(group) for group in self._groups()}
        places = {place for offsets in committed.values() for place in offsets}
        ends = self._ends(places)
        now = self._clock.now_ms()
        for place, end in ends.items():
            self._timelines[place].observe(end, now)
        written = self._written_at(
            {(place, offset or 0) for o in committed.values() for place, offset in o.items()}, ends
        )
        return [
            lag_of(group, place, offset, ends[place], written.get((place, offset or 0)), now)
            for group, offsets in sorted(committed.items())
            for place, offset in sorted(offsets.items())
            if place in ends
        ]

    def _groups(self) -> list[str]:
        if self._group is not None:
            return [self._group]
        listing = self._admin.list_consumer_groups(request_timeout=REQUEST_S).result()
        names = [found.group_id for found in listing.valid]
        return [name for name in names if name.startswith(self._settings.topic_prefix)]

    def _committed(self, group: str) -> dict[Place, int | None]:
        """Committed offsets by place; a topic with one committed partition shows all of them."""
        request = [ConsumerGroupTopicPartitions(group)]
        (answer,) = self._admin.list_consumer_group_offsets(request, request_timeout=REQUEST_S).values()
        try:
            found = answer.result().topic_partitions
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise
        offsets: dict[Place, int | None] = {
            (place.topic, place.partition): place.offset for place in found if place.offset >= 0
        }
        topics = self._admin.list_topics(timeout=REQUEST_S).topics
        for topic in {topic for topic, _ in offsets} & topics.keys():
            for partition in topics[topic].partitions:
                offsets.setdefault((topic, partition), None)
        return {place: offset for place, offset in offsets.items() if place[0] in topics}

    def _ends(self, places: set[Place]) -> dict[Place, int]:
        if not places:
            return {}
        request = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        answers = self._admin.list_offsets(request, request_timeout=REQUEST_S)
        return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}

    def _written_at(self, wanted: set[tuple[Place, int]], ends: dict[Place, int]) -> dict[tuple[Place, int], float]:
        """When the first unread records were written, ms, by (place, offset)."""
        behind = {(place, offset) for place, offset in wanted if place in ends and offset < ends[place]}
        found = {
            (place, offset): time
            for place, offset in behind
            if (time := self._timelines[place].written_at(offset)) is not None
        }
        return found | self._record_times(behind - found.keys())

    def _record_times(self, wanted: set[tuple[Place, int]]) -> dict[tuple[Place, int], float]:
        """Timestamps of the first records at or after the wanted offsets; a place without one is left out."""
        if not wanted:
            return {}
        times: dict[tuple[Place, int], float] = {}
        reader = consumer(self._settings, "lag", **QUIET, **{"enable.partition.eof": True})
        try:
            waiting = sorted(wanted)
            while waiting:  # two groups may wait at two offsets of one partition, which takes two rounds
                asked = dict(reversed(waiting))
                times |= _first_records(reader, asked)
                waiting = [(place, offset) for place, offset in waiting if asked[place] != offset]
        finally:
            reader.close()
        return times


def _first_records(reader: Consumer, asked: dict[Place, int]) -> dict[tuple[Place, int], float]:
    """Timestamp of the first record of each place at or after the asked offset."""
    reader.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in asked.items()])
    times: dict[tuple[Place, int], float] = {}
    left = dict(asked)
    deadline = time.monotonic() + RECORD_S
    while left and time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is None:
            continue
        place = (message.topic(), message.partition())
        if place not in left:
            continue
        if not message.error():
            times[place, asked[place]] = message.timestamp()[1]
            reader.incremental_unassign([TopicPartition(*place)])
        del left[place]  # at the end of a partition only markers of transactions were left
    return times


def lag_of(
    group: str, place: Place, committed: int | None, end: int, written_ms: float | None, now_ms: int
) -> PartitionLag:
    """Lag from offsets and from when the first unread record was written (None: not known)."""
    lag = max(0, end - (committed or 0))
    if lag == 0:
        seconds: float | None = 0.0
    else:
        seconds = None if written_ms is None else max(0.0, (now_ms - written_ms) / 1_000)
    return PartitionLag(group, *place, committed, end, lag, seconds)


class LagExporter:
    """Fills the lag gauges every `interval_s`; a partition that is no longer read loses its gauge."""

    def __init__(self, reader: LagReader, interval_s: float = 5.0) -> None:
        self._reader = reader
        self._interval_s = interval_s
        self._shown: set[tuple[str, str, str]] = set()

    def run(self, stop: threading.Event) -> None:
        """Export until `stop` is set. A broker that does not answer is logged, and asked again."""
        while not stop.is_set():
            try:
                self.export()
            except Unreachable as error:
                log.warning("%s", error)
            stop.wait(self._interval_s)

    def export(self) -> list[PartitionLag]:
        """Read once and set the gauges."""
        lags = self._reader.read()
        shown = set()
        for lag in lags:
            labels = (lag.group, lag.topic, str(lag.partition))
            shown.add(labels)
            CONSUMER_LAG.labels(*labels).set(lag.lag)
            if lag.lag_seconds is not None:
                CONSUMER_LAG_SECONDS.labels(*labels).set(lag.lag_seconds)
        for labels in self._shown - shown:
            CONSUMER_LAG.remove(*labels)
            CONSUMER_LAG_SECONDS.remove(*labels)
        self._shown = shown
        return lags
