"""How fast a ranker answers, and what it weighs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scorers.ranking.model import Probabilities

SIZES = (1, 200, 12_800)
_REPEATS = 15


def milliseconds(models: Probabilities, rows: NDArray[np.float32]) -> dict[str, float]:
    """Median time of one predict for 1, 200 and 12,800 rows (`rows` repeated or cut to size)."""
    found = {}
    for size in SIZES:
        sized = np.resize(rows, (size, rows.shape[1]))
        models.predict(sized)
        taken = []
        for _ in range(_REPEATS):
            begun = time.perf_counter()
            models.predict(sized)
            taken.append(time.perf_counter() - begun)
        found[str(size)] = 1_000 * float(np.median(taken))
    return found


def megabytes(folder: Path) -> float:
    """Of all files in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
