"""Names and order of every entity's features: the one place.

An entity is written `kind:key`, e.g. `item:A17` or `pair:A17|boots rain`. Its vector holds *sums* only, exact to the
unit: for each window, shortest first, one sum per metric. Rates, trends and recency are derived on reading
(`feature_repo.derived`).
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import DAY_MS, HOUR_MS, MINUTE_MS, WINDOW_LENGTHS_MS

METRICS = ("searches", "impressions", "clicks", "purchases", "units", "revenue")
"""What is counted for each entity. Revenue is in minor units. A metric that a kind lacks stays 0."""

KINDS = ("item", "keyword", "pair", "campaign", "category")
"""The kinds of entity. A pair is item x canonical keyword."""

_TILE_MS = {"10m": MINUTE_MS, "1h": 5 * MINUTE_MS, "24h": HOUR_MS, "7d": 6 * HOUR_MS, "30d": DAY_MS}


@dataclass(frozen=True)
class Window:
    """A window of `length_ms`, made of tiles of `tile_ms` that begin at multiples of it.

    At T it holds the tiles that begin after T - length, T rounded down to its tile: the tile of T and those before it,
    `length / tile` in all, and any that lies ahead of T (an event may be dated a little into the future).
    """

    name: str
    length_ms: int
    tile_ms: int

    def tile(self, time_ms: int) -> int:
        """Number of the tile that holds `time_ms`."""
        return time_ms // self.tile_ms

    def oldest_tile(self, as_of_ms: int) -> int:
        """Number of the oldest tile in the window as of `as_of_ms`."""
        return as_of_ms // self.tile_ms - self.length_ms // self.tile_ms + 1


def windows(names: tuple[str, ...]) -> tuple[Window, ...]:
    """The windows that `settings.windows` names."""
    return tuple(Window(name, WINDOW_LENGTHS_MS[name], _TILE_MS[name]) for name in names)


def sum_names(window_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a vector's numbers, in order: `searches_10m`, `impressions_10m`, ..., `revenue_7d`."""
    return tuple(f"{metric}_{window}" for window in window_names for metric in METRICS)


def entity(kind: str, key: str) -> str:
    """The entity's name, as streams write it."""
    return f"{kind}:{key}"


def pair_key(item: str, canonical: str) -> str:
    """Key of item x canonical keyword. Neither holds a `|`."""
    return f"{item}|{canonical}"


def split_entity(name: str) -> tuple[str, str]:
    """Kind and key of an entity's name."""
    kind, _, key = name.partition(":")
    return kind, key
