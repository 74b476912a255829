"""Lag as a real broker tells it."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from confluent_kafka import TopicPartition

from infra import kafka
from infra.clock import ManualClock, SystemClock
from infra.lag import LagExporter, LagReader, PartitionLag
from infra.metrics import CONSUMER_LAG, CONSUMER_LAG_SECONDS
from infra.settings import Settings
from infra.topics import Topics

pytestmark = pytest.mark.integration


def produce(settings: Settings, records: int, partition: int = 1) -> str:
    topic = Topics.of(settings).click.name
    producer = kafka.producer(settings)
    for number in range(records):
        producer.produce(topic, json.dumps(number).encode(), partition=partition)
    assert producer.flush(20) == 0
    return topic


def commit(settings: Settings, group: str, topic: str, offset: int, partition: int = 1) -> str:
    with closing(kafka.consumer(settings, group)) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    return f"{settings.topic_prefix}{group}"


def by_partition(lags: list[PartitionLag]) -> dict[int, PartitionLag]:
    return {lag.partition: lag for lag in lags}


def test_lag_counts_what_is_unread_and_dates_the_oldest_of_it(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    topic = produce(integration_settings, 10)
    group = commit(integration_settings, "readers", topic, 4)
    in_an_hour = ManualClock(SystemClock().now_ms() + 3_600_000)
    lags = by_partition(LagReader(integration_settings, in_an_hour).read())
    assert (lags[1].group, lags[1].topic, lags[1].committed, lags[1].end, lags[1].lag) == (group, topic, 4, 10, 6)
    assert lags[1].lag_seconds == pytest.approx(3_600, abs=60)
    assert (lags[0].committed, lags[0].lag, lags[0].lag_seconds) == (None, 0, 0.0)


def test_a_reader_that_saw_the_log_grow_interpolates(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    topic = produce(integration_settings, 10)
    commit(integration_settings, "readers", topic, 10)
    clock = ManualClock(1_000_000)
    reader = LagReader(integration_settings, clock)
    assert by_partition(reader.read())[1].lag == 0
    produce(integration_settings, 10)
    clock.advance_to(1_010_000)
    reader.read()
    commit(integration_settings, "readers", topic, 15)
    assert by_partition(reader.read())[1].lag_seconds == pytest.approx(5.0)


def test_two_groups_at_two_offsets_of_one_partition(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    topic = produce(integration_settings, 10)
    groups = [commit(integration_settings, "one", topic, 2), commit(integration_settings, "two", topic, 7)]
    lags = {lag.group: lag for lag in LagReader(integration_settings).read() if lag.partition == 1}
    assert [lags[group].lag for group in groups] == [8, 3]
    assert all(lag.lag_seconds is not None and 0 <= lag.lag_seconds < 60 for lag in lags.values())


def test_a_group_unknown_to_the_broker_has_no_lag(integration_settings: Settings) -> None:
    assert LagReader(integration_settings, group="nobody").read() == []


def test_the_exporter_sets_gauges_and_drops_those_of_topics_that_are_gone(integration_settings: Settings) -> None:
    kafka.create_topics(integration_settings)
    topic = produce(integration_settings, 10)
    group = commit(integration_settings, "readers", topic, 4)
    exporter = LagExporter(LagReader(integration_settings))
    exporter.export()
    assert CONSUMER_LAG.labels(group, topic, "1")._value.get() == 6
    assert CONSUMER_LAG_SECONDS.labels(group, topic, "1")._value.get() >= 0
    client = kafka.admin(integration_settings)
    client.delete_consumer_groups([group])[group].result()
    exporter.export()
    samples = [sample for metric in CONSUMER_LAG.collect() for sample in metric.samples]
    assert not [sample for sample in samples if sample.labels["group"] == group]
