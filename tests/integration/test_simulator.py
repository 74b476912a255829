"""The simulator's states and live events on a real Kafka, through its own commands."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import TopicPartition
from typer.testing import CliRunner

from infra import kafka
from infra.murmur2 import partition_of
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.decoding import EventDecoder
from streams.contracts.events import EventName
from streams.contracts.messages import CampaignState, ProductState
from streams.contracts.rejection import Rejected
from streams.simulator import store
from streams.simulator.cli import app
from streams.simulator.history import EVENT_NAMES
from streams.simulator.states import write_states
from tests.market import make_market

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(integration_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small market's folder, with the environment set to this test's servers and topics."""
    for name in ("home", "kafka_servers", "topic_prefix", "checkpoint_redis_url", "online_redis_url", "milvus_uri"):
        monkeypatch.setenv(f"KEYPULSE_{name.upper()}", str(getattr(integration_settings, name)))
    kafka.create_topics(integration_settings)
    market = make_market(seed=8, products=300, campaigns=50, keywords=1_200)
    store.save(market, tmp_path / "market")
    write_states(market, tmp_path / "market")
    return tmp_path / "market"


def read_all(settings: Settings, topic: str) -> list[tuple[int, bytes, bytes, int]]:
    """(partition, key, value, broker time) of every record of a topic."""
    consumer = kafka.consumer(settings, "reader")
    partitions = range(settings.partitions)
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1] for number in partitions]
    found = []
    while len(found) < sum(ends):
        for record in consumer.consume(1_000, timeout=0.3):
            assert record.error() is None
            found.append((record.partition(), record.key(), record.value(), record.timestamp()[1]))
    consumer.close()
    return found


def test_states_reach_their_topics(integration_settings: Settings, folder: Path) -> None:
    done = CliRunner().invoke(app, ["state", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    topics = Topics.of(integration_settings)
    products = read_all(integration_settings, topics.product_state.name)
    campaigns = read_all(integration_settings, topics.campaign_state.name)
    assert sorted(value for _, _, value, _ in products) == sorted((folder / "products.jsonl").read_bytes().splitlines())
    for _, key, value, _ in products:
        assert msgspec.json.decode(value, type=ProductState).item == key.decode()
    assert len(campaigns) == 50
    for _, key, value, _ in campaigns:
        assert msgspec.json.decode(value, type=CampaignState).campaign == key.decode()


def test_live_events_in_the_log_are_those_of_the_summary(integration_settings: Settings, folder: Path) -> None:
    summary = folder / "live.json"
    options = ["--rate", "500", "--duration", "12", "--shock", "rain boots:8x@6s", "--bad-ratio", "0.01"]
    done: list[int] = []

    def live() -> None:
        arguments = ["live", str(folder), *options, "--summary", str(summary), "--json"]
        done.append(CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code)

    signals = pytest.MonkeyPatch()
    signals.setattr("signal.signal", lambda *_: None)  # which only a main thread may set
    runner = threading.Thread(target=live)
    runner.start()
    runner.join(60)
    signals.undo()
    assert done == [0]
    told = json.loads(summary.read_text())
    decoder = EventDecoder(integration_settings)
    refused: dict[str, int] = defaultdict(int)
    ids: dict[EventName, set[str]] = defaultdict(set)
    records = 0
    for name, topic in zip(EVENT_NAMES, Topics.of(integration_settings).events, strict=True):
        for place, key, value, broker_time in read_all(integration_settings, topic.name):
            records += 1
            assert place == partition_of(key, integration_settings.partitions)
            try:
                event = decoder.decode(name, value, broker_time)
            except Rejected as rejection:
                refused[rejection.code] += 1
                continue
            assert told["started_ms"] <= event.event_time <= told["ended_ms"]
            assert event.event_time <= broker_time + 50
            ids[name].add(event.event_id)
    assert records == told["records"]
    assert refused == told["bad"]
    assert {name: len(known) for name, known in ids.items()} == told["events"]
    assert records - sum(refused.values()) - sum(told["events"].values()) == told["duplicates"]
    assert told["shock"] == {"keyword": "rain boots", "factor": 8.0, "at_ms": told["started_ms"] + 6_000}
    assert abs(sum(told["events"].values()) / 12 / 500 - 1) < 0.15


def test_a_market_that_is_not_there_is_told(folder: Path) -> None:
    done = CliRunner().invoke(app, ["live", str(folder / "nowhere")])
    assert isinstance(done.exception, store.MarketMissing)
