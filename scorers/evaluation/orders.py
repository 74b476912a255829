"""What every ranker says of a held-out campaign's candidates: a score for each keyword, over the same candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from infra.settings import DAY_MS, Settings
from scorers.evaluation.heldout import HeldOut
from scorers.ranking.features import Floats, Sums, in_longest_window
from scorers.suggestions.merge import Rows, merge
from scorers.suggestions.value import HORIZON_MS, forecast
from streams.contracts.messages import CampaignState

ENCODERS = {"similarity": "dense, untuned model", "two_towers": "two towers"}
"""Encoders that are rows of their own; the columns that hold what they say are `encoder_<name>`."""
SOURCES = {"bm25": "BM25", "alignment": "title alignment (GraphEx-like)", "co_searched": "co-searched"}
"""Sources that are rows of their own, where the generator has them."""
_SEED = 7
Probabilities = tuple[Floats, Floats, Floats]
"""P(shown), P(click) and P(purchase | click) of every row."""


@dataclass(frozen=True)
class Orders:
    """One campaign's keywords, and what each ranker says of them."""

    campaign: CampaignState
    canonicals: list[str]
    scores: dict[str, Floats]
    shares: Floats
    """Of all searches so far, by keyword."""
    impressions: float
    """Of its items in the longest window before it was created."""

    def order(self, ranker: str) -> list[int]:
        """Keywords' numbers, best first."""
        return [int(row) for row in np.argsort(-self.scores[ranker], kind="stable")]


def all_orders(
    cases: HeldOut,
    sums: Sums,
    markets: Mapping[str, Floats],
    predictions: Mapping[str, Probabilities],
    settings: Settings,
) -> list[Orders]:
    """The orders of each campaign with candidates. `predictions`: ranker -> its probabilities, by row of `cases`.

    Each ranker orders by value; those of `model`'s probabilities alone are `model_by_probability`.
    """
    rng = np.random.default_rng(_SEED)
    numbered = cases.rows.with_row_index("row")
    groups = numbered.partition_by("campaign", as_dict=True)
    total = max(sum(keyword.volume for keyword in cases.keywords.values()), 1)
    found = []
    for campaign in cases.campaigns:
        own = groups.get((campaign.campaign,))
        if own is None:
            continue
        found.append(_orders(campaign, own, cases, sums, markets[campaign.campaign], predictions, settings, rng, total))
    return found


def _orders(
    campaign: CampaignState,
    own: pl.DataFrame,
    cases: HeldOut,
    sums: Sums,
    market: Floats,
    predictions: Mapping[str, Probabilities],
    settings: Settings,
    rng: np.random.Generator,
    total: int,
) -> Orders:
    rows = own.get_column("row").to_numpy()
    canonicals, first, keyword_of = np.unique(
        own.get_column("canonical").to_numpy().astype(str), return_index=True, return_inverse=True
    )
    keywords = [cases.keywords[canonical] for canonical in canonicals.tolist()]
    keyword_sums = sums.keyword[rows[first]]
    volume = np.array([keyword.volume for keyword in keywords], np.float64)
    per_week = volume / max(cases.days * DAY_MS / HORIZON_MS, 1.0)

    def best(column: str) -> Floats:
        """Greatest of the items' scores; below all others where none has one."""
        scores = own.get_column(column).fill_null(-np.inf).to_numpy()
        of_keyword = np.full(len(canonicals), -np.inf)
        np.maximum.at(of_keyword, keyword_of, scores)
        return of_keyword

    popularity = in_longest_window(keyword_sums, "searches") + per_week / (1 + per_week.max())
    at_home = np.array([keyword.category == campaign.category for keyword in keywords])
    searches = forecast(keyword_sums, market, per_week, settings).searches
    scores = {
        "random": rng.random(len(canonicals)),
        "popularity": popularity,
        "popularity_in_category": np.where(at_home, popularity, popularity * 1e-6),
        "fused": best("fused"),
    }
    scores |= {name: best(f"encoder_{name}") for name in ENCODERS if f"encoder_{name}" in own.columns}
    scores |= {name: best(f"source_{name}") for name in SOURCES if f"source_{name}" in own.columns}
    items = own.get_column("item").to_list()
    for ranker, probabilities in predictions.items():
        merged = merge(Rows(items, keyword_of.astype(np.int64), *(own[rows] for own in probabilities)), searches)
        scores[ranker] = merged.value
        if ranker == "model":
            scores["model_by_probability"] = merged.p_click * merged.p_purchase
    seen = in_longest_window(sums.item[rows], "impressions")
    return Orders(campaign, canonicals.tolist(), scores, volume / total, float(seen.max()))
