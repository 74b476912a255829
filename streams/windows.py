"""Window sums of many entities, from event-time tiles.

A window's running sums stand in one array; a tile only keeps what it added, to take it off again when it leaves. So a
quiet entity decays by time alone. What a window holds as of T is defined by `feature_repo.vectors.Window`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo.vectors import METRICS, Window
from infra.settings import MINUTE_MS

Slots = NDArray[np.int32]
Amounts = NDArray[np.int64]
_MOST_PARTS_OF_A_TILE = 64


class _Tiles:
    """Tiles of one window: tile number -> parts (slots, amounts) whose sum the tile holds."""

    def __init__(self) -> None:
        self.parts: dict[int, list[tuple[Slots, Amounts]]] = {}

    def add(self, tile: int, slots: Slots, amounts: Amounts) -> None:
        parts = self.parts.setdefault(tile, [])
        parts.append((slots, amounts))
        if len(parts) >= _MOST_PARTS_OF_A_TILE:
            self.parts[tile] = [_merged(parts)]

    def merged(self) -> Iterator[tuple[int, Slots, Amounts]]:
        for tile, parts in self.parts.items():
            yield tile, *_merged(parts)


def _merged(parts: list[tuple[Slots, Amounts]]) -> tuple[Slots, Amounts]:
    """One part per tile, one row per slot, rows of zeros left out."""
    slots = np.concatenate([part[0] for part in parts])
    unique, row = np.unique(slots, return_inverse=True)
    amounts = np.zeros((len(unique), len(METRICS)), np.int64)
    np.add.at(amounts, row, np.concatenate([part[1] for part in parts]))
    kept = amounts.any(axis=1)
    return unique[kept], amounts[kept]


class WindowSums:
    """Sums per slot (an entity's number), window and metric as of one moment, which only moves forward."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = tuple(windows)
        self.as_of = 0
        self.sums: NDArray[np.int64] = np.zeros((0, len(self.windows), len(METRICS)), np.int64)
        """slots x windows x metrics."""
        self._tiles = [_Tiles() for _ in self.windows]

    def grow(self, slots: int) -> None:
        """Make room for `slots` slots."""
        if slots > len(self.sums):
            more = np.zeros((max(slots, 2 * len(self.sums), 1024), *self.sums.shape[1:]), np.int64)
            more[: len(self.sums)] = self.sums
            self.sums = more

    def add(self, slots: Slots, minutes: NDArray[np.int32], amounts: Amounts) -> None:
        """Add `amounts` (n x metrics) to `slots` (n) in the tiles that hold `minutes` (n, since 1970).

        Amounts may be negative (corrections). A row whose tile has left a window is not in it.
        """
        times = minutes.astype(np.int64) * MINUTE_MS
        for number, (window, tiles) in enumerate(zip(self.windows, self._tiles, strict=True)):
            tile_of = times // window.tile_ms
            oldest = window.oldest_tile(self.as_of)
            for tile in np.unique(tile_of):
                if tile >= oldest:
                    rows = tile_of == tile
                    self._add_to_tile(number, tiles, int(tile), slots[rows], amounts[rows])

    def advance(self, as_of: int) -> Slots:
        """Move to `as_of` (ms; earlier than now: stay) and return the slots whose sums changed by it."""
        changed: list[Slots] = []
        if as_of > self.as_of:
            self.as_of = as_of
            for number, (window, tiles) in enumerate(zip(self.windows, self._tiles, strict=True)):
                oldest = window.oldest_tile(as_of)
                for tile in [tile for tile in tiles.parts if tile < oldest]:
                    for slots, amounts in tiles.parts.pop(tile):
                        np.subtract.at(self.sums[:, number], slots, amounts)
                        changed.append(slots)
        return np.unique(np.concatenate(changed)) if changed else np.zeros(0, np.int32)

    def tiles(self) -> Iterator[tuple[int, int, Slots, Amounts]]:
        """Everything kept: window number, tile number, slots, amounts."""
        for number, tiles in enumerate(self._tiles):
            for tile, slots, amounts in tiles.merged():
                yield number, tile, slots, amounts

    def load_tile(self, window: int, tile: int, slots: Slots, amounts: Amounts) -> None:
        """Take over a tile, as `tiles` gives it."""
        self._add_to_tile(window, self._tiles[window], tile, slots, amounts)

    def _add_to_tile(self, window: int, tiles: _Tiles, tile: int, slots: Slots, amounts: Amounts) -> None:
        np.add.at(self.sums[:, window], slots, amounts)
        tiles.add(tile, slots, amounts)
