"""A line of the proof: a share of replicates, what it should be, and whether chance explains the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def count(mask: NDArray[np.bool_]) -> int:
    """How many are true."""
    return int(np.count_nonzero(mask))


Should = Literal["equal", "at most", "at least", "above", "below"]
"""`above` and `below` ask for surely more or less than nominal; the others for no sure contradiction."""

ERROR = 0.05
"""The chance that any line of a sound method fails, over all lines together (Bonferroni)."""


@dataclass(frozen=True)
class Line:
    """`hits` of `replicates` are to be `should` `nominal`."""

    name: str
    should: Should
    nominal: float
    hits: int
    replicates: int
    note: str = ""

    @property
    def figure(self) -> float:
        return self.hits / self.replicates

    def interval(self, lines: int) -> tuple[float, float]:
        """The exact binomial interval of the figure when `lines` are judged together."""
        confidence = 1 - ERROR / lines
        found = stats.binomtest(self.hits, self.replicates).proportion_ci(confidence, method="exact")
        return float(found.low), float(found.high)

    def met(self, lines: int) -> bool:
        """Whether the line holds."""
        low, high = self.interval(lines)
        held = {
            "equal": low <= self.nominal <= high,
            "at most": low <= self.nominal,
            "at least": high >= self.nominal,
            "above": low > self.nominal,
            "below": high < self.nominal,
        }
        return held[self.should]


@dataclass(frozen=True)
class Agreement:
    """Two computations of one thing are to differ by no more than `most`."""

    name: str
    most: float
    figure: float
    note: str = ""

    @property
    def met(self) -> bool:
        return self.figure <= self.most


@dataclass(frozen=True)
class Shown:
    """A figure that is reported and judged by nobody."""

    name: str
    figure: float
    note: str


Result = Line | Agreement | Shown


def as_rows(results: Sequence[Result]) -> list[dict[str, object]]:
    """All results as plain data: name, target, figure, met (None for a mere figure)."""
    lines = sum(isinstance(result, Line) for result in results)
    rows: list[dict[str, object]] = []
    for result in results:
        row: dict[str, object] = {"name": result.name, "figure": result.figure}
        if isinstance(result, Line):
            low, high = result.interval(lines)
            row |= {"target": f"{result.should} {result.nominal:g}", "replicates": result.replicates}
            row |= {"interval": [low, high], "met": result.met(lines)}
        elif isinstance(result, Agreement):
            row |= {"target": f"at most {result.most:g}", "met": result.met}
        else:
            row |= {"target": None, "met": None}
        rows.append(row | {"note": result.note})
    return rows
