"""What needs no broker: a history that the simulator writes, and its backfill by the same stages."""

from __future__ import annotations

import shutil
from pathlib import Path
from time import perf_counter

from feature_repo.archive import FeatureArchive
from feature_repo.vector_writer import VectorWriter
from infra import redis
from infra.settings import Settings
from streams.backfill.run import SOURCE, Backfill
from streams.bench.report import Pace, pace
from streams.exactly_once import RedisCheckpoints


def backfill(folder: Path, settings: Settings) -> Pace:
    """Count the history in `folder` into stores and feature log of `settings`, which are emptied first."""
    shutil.rmtree(settings.feature_log_path, ignore_errors=True)
    checkpoints, online = redis.connect(settings.checkpoint_redis_url), redis.connect(settings.online_redis_url)
    for store in (checkpoints, online):
        store.flushdb()
    began = perf_counter()
    summary = Backfill(
        settings,
        RedisCheckpoints(checkpoints, settings.topic_prefix),
        VectorWriter(online, settings),
        FeatureArchive(settings.feature_log_path, SOURCE),
    ).run(folder)
    return pace(summary.events, perf_counter() - began)
