"""How likely a shopper looks at each place of a page, learnt from the log.

A click needs a look: P(click) = P(looked at | position) x P(click | looked at), with P(looked at) = position ** -decay
(position-based model: Richardson et al., "Predicting clicks", WWW 2007; Craswell et al., WSDM 2008). Good results stand
high, so that clicks by position alone mix the two. What separates them is the same pair shown at several places, by the
auction's draw or the day's ranking: within a pair, only the place differs (Agarwal et al., "Estimating position bias
without intrusive interventions", WSDM 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

_STEEPEST = 3.0
_STEP = 0.01
_PAIR = ("item", "canonical", "campaign")


@dataclass(frozen=True)
class Examination:
    """P(looked at) = position ** -decay; 1 at the reference position."""

    decay: float
    standard_error: float = float("nan")
    clicks: int = 0
    """That it rests on."""

    def at(self, positions: NDArray[np.generic]) -> NDArray[np.float64]:
        """P(looked at) of n positions, 1 for the top; a place that is not known counts as the top."""
        places = np.nan_to_num(np.asarray(positions, np.float64), nan=1.0)
        return np.maximum(places, 1.0) ** -self.decay


def examination(shown: pl.DataFrame, pair: Sequence[str] = _PAIR) -> Examination:
    """The decay within pairs: columns of `pair`, `position`, `clicked` and, where rows stand for several, `weight`.

    A Poisson regression with an effect for each pair, which drops out of the conditional likelihood (Hausman, Hall and
    Griliches, Econometrica 52(4), 1984); it needs only that means are right, not that counts are Poisson. Without a
    pair that was clicked and shown at two places the decay is 0: nothing is corrected.
    """
    weighted = shown if "weight" in shown.columns else shown.with_columns(weight=pl.lit(1))
    counted = weighted.group_by(*pair, "position").agg(
        shown=pl.col("weight").sum(), clicked=(pl.col("weight") * pl.col("clicked").cast(pl.Float64)).sum()
    )
    places = pl.len().over(*pair) > 1
    counted = counted.filter(places & (pl.col("clicked").sum().over(*pair) > 0))
    if counted.is_empty():
        return Examination(0.0)
    number = counted.select(pl.struct(pair).rank("dense") - 1).to_series().to_numpy()
    seen = counted.get_column("shown").to_numpy().astype(np.float64)
    clicks = counted.get_column("clicked").to_numpy().astype(np.float64)
    far = np.log(counted.get_column("position").to_numpy())
    of_pair = np.bincount(number, clicks)

    def loss(decay: float) -> float:
        expected = np.bincount(number, seen * np.exp(-decay * far))
        return float(decay * np.dot(clicks, far) + np.dot(of_pair, np.log(expected)))

    decay = float(minimize_scalar(loss, bounds=(0.0, _STEEPEST), method="bounded").x)
    curvature = (loss(decay + _STEP) - 2 * loss(decay) + loss(decay - _STEP)) / _STEP**2
    return Examination(decay, float(curvature**-0.5) if curvature > 0 else float("nan"), int(clicks.sum()))
