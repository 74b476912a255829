"""kill -9 of either stage's worker in the middle of a run, on real Kafka and Redis: features equal the recount."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import kafka
from infra.settings import Settings
from streams.verification import verify
from tests.workers import counted, produce, wait_until_counted, wait_until_more_than, workers

pytestmark = [pytest.mark.integration, pytest.mark.slow]
EVENTS = 60_000


def test_features_equal_the_recount_after_kill_9_of_either_stage(
    integration_settings: Settings, tmp_path: Path
) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    with workers(settings, tmp_path) as running:
        for seed, stage in enumerate(("shopper", "entity", "shopper")):
            before = counted(settings, stage)
            produce(settings, EVENTS // 4, seed)
            wait_until_more_than(
                before, settings, stage, running[stage]
            )  # in the middle of it, as a batch has 200 records
            running[stage].kill()
            running[stage].start()
        produce(settings, EVENTS // 4, seed=3)
        wait_until_counted(settings, running)
        assert [worker.stop() for worker in running.values()] == [0, 0]
        verdict = verify(settings)
    assert verdict.examples == []
    assert verdict.events >= EVENTS * 0.99
    assert verdict.compared > 300
