"""The comparison with the recount finds what should not be there, as it finds what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo.vector_writer import VectorWriter
from feature_repo.vectors import sum_names
from infra import kafka, redis
from infra.settings import Settings
from streams.verification import verify

pytestmark = pytest.mark.integration


def test_a_vector_of_which_no_event_tells_is_found(integration_settings: Settings) -> None:
    settings = integration_settings
    kafka.create_topics(settings)
    writer = VectorWriter(redis.connect(settings.online_redis_url), settings)
    writer.acquire(0, 1)
    sums = np.zeros((2, len(sum_names(settings.windows))))
    sums[0, 0] = 3
    writer.write(0, 1, ["item:ghost", "item:quiet"], sums, 1_790_000_000_000)
    verdict = verify(settings)
    assert verdict.mismatches == 1
    assert "item:ghost" in verdict.examples[0]
