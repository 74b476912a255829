"""Which part of a history teaches and which judges, by time."""

from __future__ import annotations

from infra.settings import DAY_MS, Settings

WARM_UP = 0.1
"""Share of the history's time at its start whose rows are not learnt from, as their windows are not yet full; the
longest window at most."""
HOLDOUT = 0.3
"""Share of the history's time at its end that training does not see, `Settings.holdout_days` at most: campaigns created
in it judge the very models that are shipped."""


def warm_up_days(days: float, settings: Settings) -> float:
    """Days of a history of that length, at its start, whose rows are not learnt from."""
    return min(WARM_UP * days, settings.longest_window_ms / DAY_MS)


def held_out_days(days: float, settings: Settings) -> float:
    """Days of a history of that length, at its end, that nothing is learnt from."""
    return min(HOLDOUT * days, settings.holdout_days)


def taught_from(first: int, last: int, settings: Settings) -> int:
    """The moment (ms) of a history of that span from which on rows are learnt from."""
    return int(first + DAY_MS * warm_up_days((last - first) / DAY_MS, settings))


def held_out_from(first: int, last: int, settings: Settings) -> int:
    """The moment (ms) of a history of that span from which on nothing is learnt from."""
    return int(last - DAY_MS * held_out_days((last - first) / DAY_MS, settings))
