"""How figures and times are written."""

from __future__ import annotations

import datetime
import math

from scorers.experiments.estimates import Interval


def day(at_ms: int) -> str:
    """The day of a moment, UTC."""
    return datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC).date().isoformat()


def moment(at_ms: int) -> str:
    """A moment to the minute, UTC."""
    return datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def share(value: float, digits: int = 1) -> str:
    """A signed percentage."""
    return f"{100 * value:+.{digits}f} %" if math.isfinite(value) else ("no lower bound" if value < 0 else "no bound")


def bounds(interval: Interval) -> str:
    """A relative interval in words: value (low to high)."""
    return f"{share(interval.value)} ({share(interval.low)} to {share(interval.high)})"


def p_value(value: float) -> str:
    """A p-value to four places."""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
