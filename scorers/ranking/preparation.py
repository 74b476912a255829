"""Features made fit for models that take neither nulls nor codes nor outliers: the linear one and the neural one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from scorers.ranking.model import Matrix

_CLIPPED = 0.005
"""Share of the training rows beyond each bound: past it a value says no more than the bound does."""
SKEWED = ("price", "shipping", "live_items", "bid")
"""Amounts that range over orders of magnitude: their logarithm is taken."""


class Preparation(msgspec.Struct, frozen=True):
    """Learnt on training rows, applied to all. A quantity is clipped to training quantiles, standardised, and 0 (the
    mean) where missing; one that was ever missing in training has a column of its own that says so."""

    features: list[str]
    categories: dict[str, int]
    """Categorical feature -> number of its codes."""
    low: list[float]
    """One a quantity, and so are high, mean and scale."""
    high: list[float]
    mean: list[float]
    scale: list[float]
    gaps: list[str]
    """Quantities with a column that says that they are missing."""

    @property
    def quantities(self) -> list[str]:
        """The features that are no categories."""
        return [name for name in self.features if name not in self.categories]

    @property
    def columns(self) -> list[str]:
        """Of `apply`."""
        return [*self.quantities, *(f"{name} is missing" for name in self.gaps)]

    def apply(self, matrix: Matrix) -> NDArray[np.float32]:
        """n x columns."""
        raw = _amounts(matrix, self.features, self.quantities)
        missing = np.isnan(raw)
        scaled = (np.clip(raw, self.low, self.high) - np.asarray(self.mean)) / np.asarray(self.scale)
        scaled[missing] = 0.0
        places = [self.quantities.index(name) for name in self.gaps]
        return np.hstack([scaled, missing[:, places]]).astype(np.float32)

    def codes(self, matrix: Matrix) -> NDArray[np.int64]:
        """n x categories: 0 for a value that is missing or was not listed, else its code + 1."""
        columns = []
        for name, count in self.categories.items():
            code = np.asarray(matrix[:, self.features.index(name)], np.float64)
            known = (code >= 0) & (code < count)
            columns.append(np.where(known, np.nan_to_num(code) + 1, 0).astype(np.int64))
        return np.column_stack(columns) if columns else np.zeros((len(matrix), 0), np.int64)


def prepare(matrix: Matrix, features: Sequence[str], types: Sequence[str]) -> Preparation:
    """Learn it from training rows, n x features. Type `c` is a category's code, any other a quantity."""
    names = list(features)
    categories = {
        name: int(np.nanmax(np.append(matrix[:, at], 0))) + 1
        for at, (name, kind) in enumerate(zip(names, types, strict=True))
        if kind == "c"
    }
    quantities = [name for name in names if name not in categories]
    raw = _amounts(matrix, names, quantities)
    missing = np.isnan(raw)
    filled = np.where(missing.all(axis=0), 0.0, raw)
    low, high = np.nanquantile(filled, [_CLIPPED, 1 - _CLIPPED], axis=0)
    clipped = np.clip(filled, low, high)
    scale = np.nanstd(clipped, axis=0)
    return Preparation(
        features=names,
        categories=categories,
        low=low.tolist(),
        high=high.tolist(),
        mean=np.nanmean(clipped, axis=0).tolist(),
        scale=np.where(scale > 0, scale, 1.0).tolist(),
        gaps=[name for name, some in zip(quantities, np.any(missing, axis=0).tolist(), strict=True) if some],
    )


def _amounts(matrix: Matrix, features: Sequence[str], quantities: Sequence[str]) -> NDArray[np.float64]:
    """n x quantities, the skewed ones as logarithms."""
    amounts = np.asarray(matrix[:, [features.index(name) for name in quantities]], np.float64)
    skewed = [at for at, name in enumerate(quantities) if name in SKEWED]
    amounts[:, skewed] = np.log1p(np.maximum(amounts[:, skewed], 0.0))
    return amounts
