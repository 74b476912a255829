"""The limit of this machine: consume, decode and count in one process, with nothing kept and nothing checked."""

from __future__ import annotations

import os
import time
from collections import defaultdict

import msgspec
from confluent_kafka import TopicPartition

from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from streams.bench.processes import Pids, cpu_seconds, cpu_us_per_event, memory_mb
from streams.bench.report import Result, result
from streams.contracts.events import EVENT_TYPES, Click, Impression, Search

_POLL_S = 0.5


def run(settings: Settings, events: int, servers: Pids) -> Result:
    """Drain `events` events from the topics of `settings` into counters per event type and entity."""
    topics = dict(zip((topic.name for topic in Topics.of(settings).events), EVENT_TYPES.values(), strict=True))
    decoders = {topic: msgspec.json.Decoder(kind).decode for topic, kind in topics.items()}
    counts: dict[str, dict[str, int]] = {topic: defaultdict(int) for topic in topics}
    consumer = kafka.consumer(settings, "bench-limit")
    consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in range(settings.partitions)])
    pids = {"limit": os.getpid()} | {name: pid for name, pid in servers.items() if name == "kafka"}
    drained = 0
    began, cpu_began = time.perf_counter(), cpu_seconds(pids)
    while drained < events:
        for message in consumer.consume(settings.batch_records, _POLL_S):
            topic = message.topic()
            event = decoders[topic](message.value())
            counted = counts[topic]
            counted[event.category] += 1
            if isinstance(event, Search):
                counted[event.query] += 1
            else:
                counted[event.item] += 1
            if isinstance(event, Impression | Click):
                counted[event.keyword] += 1
                counted[f"{event.item}|{event.keyword}"] += 1
                if event.campaign is not None:
                    counted[event.campaign] += 1
            drained += 1
    seconds, cpu = time.perf_counter() - began, cpu_seconds(pids)
    consumer.close()
    used = cpu_us_per_event(cpu_began, cpu, drained)
    return result("limit: consume, decode, count", drained, seconds, used, memory_mb(pids))
