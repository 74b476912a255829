"""What a keyword is worth to a campaign: the campaign purchases to expect in the next 7 days. Pure.

    value = searches that will match it x P(shown at this bid) x P(click) x P(purchase | click)

The three probabilities come from the bundle (`scorers.ranking`); the searches are foretold here. Each factor is
published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import METRICS
from infra.settings import DAY_MS, WINDOW_LENGTHS_MS, Settings
from scorers.suggestions.growth import growth

HORIZON_MS = 7 * DAY_MS
"""How far ahead purchases are counted."""

HISTORY_WEIGHT = 1.0
"""Weight of a keyword's long history beside its longest window: it steadies rare keywords and starts a young store."""

_SEARCHES = METRICS.index("searches")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Searches to expect of n keywords, and what the forecast saw."""

    searches: Floats
    """n; in the next 7 days."""
    seen: Floats
    """n x (W - 1); searches in each window but the longest, shortest first."""
    foreseen: Floats
    """n x (W - 1); what the longer windows and the market as a whole let expect there."""


def forecast(keyword_sums: Floats, market_sums: Floats, per_week: Floats, settings: Settings) -> Forecast:
    """Searches of n keywords in the next 7 days.

    Args:
        keyword_sums: n x V, vectors of the keywords.
        market_sums: V, the same of all searches together. Comparing with the market takes out the time of day.
        per_week: n, searches a week over the keyword table's history.

    The level is the longest window, steadied by history. From there to the shortest window, what was seen is compared
    with what the level so far lets expect of a keyword with that share of the market (see `growth`).
    A surprise fades: over 7 days it counts with the power `(window / 7 days) ** persistence`, below 1.
    """
    windows, smoothing = settings.windows, settings.forecast_smoothing
    lengths = np.array([WINDOW_LENGTHS_MS[name] for name in windows], dtype=np.float64)
    counts = keyword_sums.reshape(len(keyword_sums), len(windows), len(METRICS))[:, :, _SEARCHES]
    market = market_sums.reshape(len(windows), len(METRICS))[:, _SEARCHES]
    if market[-1] <= 0:
        market = lengths  # of the market nothing is known: taken for steady
    weekly = counts[:, -1] * (HORIZON_MS / lengths[-1])
    level = (weekly + HISTORY_WEIGHT * per_week) / (1.0 + HISTORY_WEIGHT)
    share = counts[:, -1] / market[-1]
    searches = level.copy()
    foreseen = np.zeros((len(counts), len(windows) - 1))
    for window in range(len(windows) - 2, -1, -1):
        foreseen[:, window] = share * market[window]
        surprise = growth(counts[:, window], foreseen[:, window], smoothing)
        searches *= surprise ** ((lengths[window] / HORIZON_MS) ** settings.forecast_persistence)
        share = share * surprise
    return Forecast(searches, counts[:, :-1], foreseen)


def expected_purchases(searches: Floats, p_shown: Floats, p_click: Floats, p_purchase: Floats) -> Floats:
    """The order of a list: campaign purchases in the next 7 days."""
    return searches * p_shown * p_click * p_purchase


def market(category_sums: Sequence[Floats] | Floats) -> Floats:
    """Sums of the market as a whole, from those of its categories (any number x V)."""
    return np.asarray(np.sum(category_sums, axis=0), dtype=np.float64)
