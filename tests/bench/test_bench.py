"""The whole benchmark, very small, on real servers. What it measures decides nothing here."""

from __future__ import annotations

import pytest

from infra.clock import SystemClock
from infra.settings import Settings
from infra.stack.state import Part
from streams.bench.run import Size, run

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_contender_drains_all_events_and_ours_is_exact(
    integration_settings: Settings, stack: dict[str, Part]
) -> None:
    pids = {name: part.pid for name, part in stack.items() if part.pid}
    report = run(integration_settings, Size(2_000, 1.0, 200, 1_000), pids, {}, SystemClock())
    assert set(report.results) == {"keypulse", "limit", "plain_agent"}
    ours, limit, plain = (report.results[name] for name in ("keypulse", "limit", "plain_agent"))
    assert ours.exactness is not None
    assert ours.exactness.mismatches == 0
    assert ours.exactness.compared > 1_000
    assert ours.events == limit.events == sum(report.events.records.values())
    assert abs(ours.events - 2_000) < 200
    assert abs(plain.events - 200) < 50
    assert plain.exactness is not None
    assert plain.exactness.compared > 100
    assert set(ours.cpu_us_per_event) == {"shopper", "entity", "all", *pids}
    assert set(report.profile) == {"shopper", "entity"}
    assert report.offline["history"].events == report.offline["backfill"].events >= ours.events
