"""From a market's history to suggestions, by Keypulse's own commands on real servers, with a real bundle and index."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.processes import Processes, ProcessFailed
from infra.settings import Settings, environment
from scorers.suggestions.tail import Read, read_sets
from streams import history
from streams.dictionary_topic import publish, published_forms
from streams.verification import Backlog, verify

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CAMPAIGNS = 60
_PASSED_ON = (
    "home", "bundle_path", "kafka_servers", "checkpoint_redis_url", "online_redis_url", "milvus_uri", "topic_prefix",
    "keyword_collection", "suggestion_interval_ms",
)  # fmt: skip


@pytest.fixture
def settings(integration_settings: Settings) -> Settings:
    """A campaign may hear from us often: the live part is short."""
    return integration_settings.model_copy(update={"suggestion_interval_ms": 1_000})


@pytest.fixture
def processes(settings: Settings) -> Iterator[Processes]:
    made = Processes(environment(settings, *_PASSED_ON), settings.home / "logs")
    yield made
    made.stop()


def test_the_main_job(settings: Settings, processes: Processes, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    size = ["--products=300", f"--campaigns={CAMPAIGNS}", "--keywords=1500", "--events=120000", "--days=8", "--seed=3"]
    processes.run("topics", "topics", "create")
    processes.run("history", "simulate", "history", f"--out={folder}", *size)
    processes.run("clean", "keywords", "clean", str(folder))
    processes.run("publish", "keywords", "publish")
    processes.run("backfill", "backfill", f"--history={folder}")
    processes.run("index", "index", "build", f"--history={folder}")
    processes.run("ranker", "train", "ranker", f"--history={folder}")

    processes.start("streams", "streams", "run")
    processes.start("scorer", "scorer", "run")
    processes.run("states", "simulate", "state", str(folder))
    first = _wait_for_sets(settings, processes, at_least=CAMPAIGNS // 2)
    live = tmp_path / "live.json"
    arguments = ["--rate=300", "--duration=15", "--shock=auto:10x@5s", f"--summary={live}", "--json"]
    processes.run("live", "simulate", "live", str(folder), *arguments)
    _wait_until_counted(settings, processes)
    exit_codes = processes.stop()

    assert set(exit_codes.values()) == {0}, exit_codes
    logs = history.read(folder, settings.partitions)
    verdict = verify(settings, lambda name, partition: list(logs[name, partition].events()))
    assert verdict.mismatches == 0, verdict.examples
    assert verdict.compared > 1_000
    sets = list(read_sets(settings, from_beginning=True, follow=False))
    manifest = json.loads((settings.bundle_path / "manifest.json").read_text())
    forms = published_forms(settings)
    assert manifest["dictionary"] == forms.version
    assert forms.forms
    for one in sets:
        assert one.suggestions
        assert one.suggestions.model_version == manifest["model_version"]
        values = [suggestion.score for suggestion in one.suggestions.suggestions]
        assert values == sorted(values, reverse=True)
    assert len(sets) > len(first), "live events led to no set"
    assert json.loads(live.read_text())["unacknowledged"] == 0
    publish(settings, replace(forms, version="another"))
    with pytest.raises(ProcessFailed, match="keywords are counted under dictionary another"):
        processes.run("refused", "scorer", "run")


def _wait_for_sets(settings: Settings, processes: Processes, at_least: int) -> list[Read]:
    """First lists; the test's time limit ends a vain wait."""
    while len(sets := list(read_sets(settings, from_beginning=True, follow=False))) < at_least:
        processes.check()
        time.sleep(0.5)
    return sets


def _wait_until_counted(settings: Settings, processes: Processes) -> None:
    backlog = Backlog(settings)
    while backlog.records():
        processes.check()
        time.sleep(0.2)
    backlog.close()
    time.sleep(2 * settings.entity_interval_ms / 1_000)  # vectors that are due are written, and told of
