"""From features.log on a real Kafka to Parquet, and the commands that look at it."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import polars as pl
import pytest
from redis import Redis
from typer.testing import CliRunner

from feature_repo.vector_writer import VectorWriter
from infra import kafka
from infra.settings import Settings
from infra.topics import Topics
from keypulse import build
from streams import feature_archive
from streams.contracts.messages import Envelope, FeatureRows

pytestmark = pytest.mark.integration

T = 1_760_000_000_000
ROWS = 50


class Serving:
    """Serves vectors of one partition as the entity stage does: online store first, then the log."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self.partition = partition
        self.topic = Topics.of(settings).features_log.name
        self.producer = kafka.producer(settings)
        self.writer = VectorWriter(Redis.from_url(settings.online_redis_url), settings)
        self.writer.acquire(partition, 1)

    def serve(self, number: int, *, times: int = 1) -> None:
        entities = [f"{kind}:{self.partition}-{row}" for kind in ("item", "category") for row in range(ROWS)]
        sums = np.full((len(entities), 24), float(number))
        self.writer.write(self.partition, 1, entities, sums, T + number)
        envelope = Envelope(f"entity/{self.partition}", 1, number)
        value = msgspec.msgpack.encode(FeatureRows(envelope, T + number, entities, sums.tobytes(), []))
        for _ in range(times):
            self.producer.produce(self.topic, value, partition=self.partition)
        self.producer.flush()


def _archived(settings: Settings, kind: str) -> pl.DataFrame:
    return pl.read_parquet(settings.feature_log_path / f"kind={kind}/*.parquet", hive_partitioning=False)


def test_the_log_is_archived_once_and_is_consistent(
    integration_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    serving = [Serving(settings, partition) for partition in range(settings.partitions)]
    for each in serving:
        for number in range(1, 6):
            each.serve(number, times=2 if number == 3 else 1)
    told: list[tuple[int, int]] = []
    rows = feature_archive.run(settings, once=True, progress=lambda done, of: told.append((done, of)))
    assert rows == settings.partitions * 5 * ROWS * 2
    assert told[-1] == (settings.partitions * 6, settings.partitions * 6)
    assert feature_archive.run(settings, once=True) == 0

    serving[1].serve(6)
    assert feature_archive.run(settings, once=True) == ROWS * 2
    for kind in ("item", "category"):
        log = _archived(settings, kind)
        assert len(log) == settings.partitions * 5 * ROWS + ROWS
        assert len(log.select(kind, "event_timestamp", "sequence").unique()) == len(log)
        assert (log["created"] >= log["event_timestamp"]).all()

    for name in ("home", "online_redis_url", "kafka_servers", "topic_prefix"):
        monkeypatch.setenv(f"KEYPULSE_{name.upper()}", str(getattr(settings, name)))
    cli, app = CliRunner(), build()
    serving[2].serve(6)
    answer = cli.invoke(app, ["features", "consistency", "--json"])
    found = json.loads(answer.stdout)
    assert answer.exit_code == 0, answer.output
    assert (found["mismatches"], found["newer_online"]) == (0, ROWS * 2)
    assert found["compared"] == (settings.partitions - 1) * ROWS * 2

    shown = cli.invoke(app, ["features", "show", "item:1-3", "--json"])
    assert json.loads(shown.stdout)["sums"]["searches_1h"] == 6
    assert "searches" in cli.invoke(app, ["features", "show", "category:0-1"]).stdout

    archived = cli.invoke(app, ["features", "archive", "--once", "--json"])
    assert json.loads(archived.stdout) == {"rows": ROWS * 2}
    serving[0].writer.write(0, 1, ["item:0-0"], np.full((1, 24), 99.0), T + 5)
    answer = cli.invoke(app, ["features", "consistency"])
    assert answer.exit_code == 1
    assert "1 mismatches" in answer.stdout
