"""Made-up examples with the ranker's real features, whose law is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infra.settings import load
from scorers.ranking.features import feature_names, feature_types
from scorers.training.examples import Examples, Features

WINDOWS = load().windows
NAMES = feature_names(WINDOWS)
FEATURES = Features(NAMES, feature_types(WINDOWS))


def make_examples(rows: int, seed: int) -> Examples:
    """Clicks that depend on `dense`, the category, whether `bid` is known, and the place on the page."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    matrix[:, NAMES.index("category")] = rng.integers(0, 3, rows)
    matrix[:, NAMES.index("condition")] = rng.integers(0, 2, rows)
    matrix[rng.random(rows) < 0.3, NAMES.index("bid")] = np.nan
    examined = rng.integers(1, 9, rows) ** -0.7
    clicked = rng.random(rows) < examined / (1 + np.exp(-log_odds(matrix)))
    weights = rng.integers(1, 4, rows).astype(np.float32)
    return Examples(matrix, clicked, weights, examined, rng.integers(0, rows // 20, rows))


def log_odds(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """The true ones, at the reference position."""
    dense, category, bid = (matrix[:, NAMES.index(name)] for name in ("dense", "category", "bid"))
    return np.asarray(1.2 * dense + 0.8 * (category == 1) - 0.9 * np.isnan(bid) - 1.0, np.float64)
