"""Simulated sellers: campaigns of one seller are alike, better sellers use suggestions more, and the truth is known.

A seller has a purchase rate of its own (gamma), which all its campaigns share: the correlation within sellers.
Purchases of a campaign are Poisson before and after exposure; amounts are lognormal. Whether a seller uses suggestions
depends on its rate, so that users differ from others before they use anything. Use multiplies the rate by 1 + lift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scorers.experiments.moments import Floats, Moments
from scorers.experiments.units import COLUMNS

_AT_ONCE = 250_000


@dataclass(frozen=True)
class Design:
    """How sellers are. Rates are of one outcome window."""

    name: str
    sellers: int
    """In each arm."""
    purchases: float = 0.25
    """Mean purchases of a campaign."""
    unlike: float = 0.5
    """Standard deviation of sellers' rates over their mean."""
    more_campaigns: float = 4.0
    """Mean number of campaigns beyond the first (geometric)."""
    created: float = 1.5
    clicks_a_purchase: float = 6.0
    price_spread: float = 0.7
    """Of the logarithm of an amount."""
    uptake: tuple[float, float] = (0.0, 0.0)
    """Share of control and treated sellers who use a computed keyword, at the mean rate."""
    lift: float = 0.0
    """Of a user's rate."""
    treated_lift: float = 0.0
    """Of every treated seller's rate, user or not."""

    @property
    def rate(self) -> float:
        """Share of campaigns with a purchase, without any lift."""
        return self.bought(1.0)

    def bought(self, factor: float) -> float:
        """Share of campaigns with a purchase when all rates are multiplied."""
        shape = 1 / self.unlike**2
        return float(1 - (1 + factor * self.purchases / shape) ** -shape)


def draw(rng: np.random.Generator, design: Design, replicates: int, treated: bool) -> Iterator[Floats]:
    """Unit sums of one arm, in pieces of shape (some replicates, sellers, len(COLUMNS))."""
    step = max(1, _AT_ONCE // (design.sellers * int(design.more_campaigns + 1)))
    for begin in range(0, replicates, step):
        yield _piece(rng, design, min(step, replicates - begin), treated)


def arms(rng: np.random.Generator, design: Design, replicates: int, winsorise: float = 0.99) -> tuple[Moments, Moments]:
    """Moments of control and treatment of every replicate."""
    parts: list[tuple[Moments, Moments]] = []
    revenue = COLUMNS.index("revenue_winsorised")
    for control, treatment in zip(
        draw(rng, design, replicates, False), draw(rng, design, replicates, True), strict=True
    ):
        together = np.concatenate([control[..., revenue], treatment[..., revenue]], axis=1)
        cap = np.quantile(together, winsorise, axis=1)[:, None]
        for arm in (control, treatment):
            arm[..., revenue] = np.minimum(arm[..., revenue], cap)
        parts.append((Moments.of(COLUMNS, control), Moments.of(COLUMNS, treatment)))
    return _joined([part[0] for part in parts]), _joined([part[1] for part in parts])


def expected(rng: np.random.Generator, design: Design, treated: bool, sellers: int = 2_000_000) -> dict[str, float]:
    """Mean of each column of interest over very many sellers, noise of purchases left out: the truth."""
    rate, campaigns, use = _people(rng, design, (sellers,), treated)
    lifted = rate * (1 + design.lift * use) * (1 + design.treated_lift * treated)
    return {
        "campaigns": float(campaigns.mean()),
        "bought": float((campaigns * -np.expm1(-lifted)).mean()),
        "purchases": float((campaigns * lifted).mean()),
        "used": float(use.mean()),
        "used_campaigns": float((use * campaigns).mean()),
    }


def _people(
    rng: np.random.Generator, design: Design, shape: tuple[int, ...], treated: bool
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Each seller's rate, campaigns and whether it uses suggestions."""
    own = rng.gamma(1 / design.unlike**2, design.unlike**2, shape)
    campaigns = rng.geometric(1 / (1 + design.more_campaigns), shape)
    chance = np.minimum(1.0, design.uptake[int(treated)] * own)
    return design.purchases * own, campaigns, (rng.random(shape) < chance).astype(np.float64)


def _piece(rng: np.random.Generator, design: Design, replicates: int, treated: bool) -> Floats:
    shape = (replicates, design.sellers)
    rate, campaigns, use = _people(rng, design, shape, treated)
    lifted = rate * (1 + design.lift * use) * (1 + design.treated_lift * treated)
    begins = np.r_[0, np.cumsum(campaigns.ravel())[:-1]]

    def of_campaigns(values: NDArray[np.int64]) -> Floats:
        return np.asarray(np.add.reduceat(values, begins), dtype=np.float64).reshape(shape)

    before = rng.poisson(np.repeat(rate.ravel(), campaigns.ravel()))
    after = rng.poisson(np.repeat(lifted.ravel(), campaigns.ravel()))
    created = rng.poisson(design.created, shape).astype(np.float64)
    of_new = rng.poisson(lifted * created * 0.5).astype(np.float64)
    existing = of_campaigns(after)
    purchases = existing + of_new
    pre = of_campaigns(before)
    values = {
        "campaigns": campaigns.astype(np.float64),
        "bought": of_campaigns((after > 0).astype(np.int64)),
        "bought_before": of_campaigns((before > 0).astype(np.int64)),
        "purchases_existing": existing,
        "purchases": purchases,
        "purchases_before": pre,
        "revenue": _amounts(rng, design, purchases),
        "revenue_before": _amounts(rng, design, pre),
        "created": created,
        "created_before": rng.poisson(design.created, shape).astype(np.float64),
        "clicks": purchases + rng.poisson(design.clicks_a_purchase * (lifted * campaigns + 0.5)),
        "clicks_before": pre + rng.poisson(design.clicks_a_purchase * (rate * campaigns + 0.5)),
        "used": use,
        "used_campaigns": use * campaigns,
    }
    values["revenue_winsorised"] = values["revenue"]
    return np.stack([values[name] for name in COLUMNS], axis=-1)


def _amounts(rng: np.random.Generator, design: Design, purchases: Floats) -> Floats:
    """Sum of a lognormal amount (mean 1) for each purchase."""
    counts = purchases.ravel().astype(np.int64)
    amounts = rng.lognormal(-(design.price_spread**2) / 2, design.price_spread, int(counts.sum()))
    ends = np.cumsum(counts)
    reached = np.r_[0.0, np.cumsum(amounts)]
    return np.asarray(reached[ends] - reached[ends - counts]).reshape(purchases.shape)


def _joined(parts: list[Moments]) -> Moments:
    return Moments(
        parts[0].columns,
        np.concatenate([part.count for part in parts]),
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.covariance for part in parts]),
    )
