"""What commands print for a script, on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import milvus
from infra.kafka import create_topics
from infra.settings import Settings, environment
from scorers.worker.controls import ControlReader
from streams.simulator.states import write_states
from tests.market import make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
_PASSED_ON = (
    "home", "kafka_servers", "checkpoint_redis_url", "online_redis_url", "milvus_uri", "topic_prefix",
    "keyword_collection",
)  # fmt: skip


def told(settings: Settings, *command: str) -> Any:
    """What a command prints with `--json`; it must be all that is on standard output."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "keypulse.py"), *command, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment(settings, *_PASSED_ON),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pause_and_resume_tell_what_they_wrote(integration_settings: Settings) -> None:
    create_topics(integration_settings)
    paused = told(integration_settings, "suggestions", "pause", "--category", "boots", "--by", "ann")
    resumed = told(integration_settings, "suggestions", "resume", "--by", "bob")
    assert (paused["category"], paused["paused"], paused["by"]) == ("boots", True, "ann")
    assert (resumed["category"], resumed["paused"], resumed["by"]) == ("*", False, "bob")
    assert paused["at"] <= resumed["at"]
    reader = ControlReader(integration_settings)
    reader.start()
    assert (reader.controls.paused("boots"), reader.controls.paused("shoes")) == (True, False)
    reader.close()


def test_a_rebuild_tells_which_groups_were_forgotten(integration_settings: Settings) -> None:
    create_topics(integration_settings)
    prefix = integration_settings.topic_prefix
    assert told(integration_settings, "rebuild", "--yes") == {
        "groups": [f"{prefix}keypulse-shopper", f"{prefix}keypulse-entity"],
        "partitions": integration_settings.partitions,
        "dictionary": "",
    }


def test_an_index_build_tells_the_version_that_readers_then_see(integration_settings: Settings, tmp_path: Path) -> None:
    market = make_market(12, events=2_000, days=1.0, products=50, campaigns=10, keywords=100)
    make_past(market, tmp_path)
    write_states(market, tmp_path)
    made = told(integration_settings, "index", "build", "--history", str(tmp_path))
    client = milvus.connect(integration_settings)
    alias = client.describe_alias(integration_settings.keyword_collection)
    assert made["version"] == alias["collection_name"]
    assert set(made["seconds"]) == {"embedding model", "keywords embedded", "keywords into Milvus"}
