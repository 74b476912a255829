"""How a drift is told: what the watch writes and the scorers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.vectors import entity
from infra.settings import MINUTE_MS
from streams.contracts.messages import Signal

if TYPE_CHECKING:
    from streams.drift.detectors import Drift

DRIFT_AGAIN_MS = 5 * MINUTE_MS
"""A drift that lasts is told again so often, as it then is."""
_PER_MILLION = 1_000_000


def drift_signal(drift: Drift) -> Signal:
    """The signal of a drift."""
    return Signal(
        entity=entity("category", drift.category),
        cause="drifted",
        metric=drift.rate,
        before=round(drift.before * _PER_MILLION),
        after=round(drift.after * _PER_MILLION),
        event_time=drift.since_ms,
    )
