"""Campaigns scored together, and each one's scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scorers.keywords.table import Keyword
from scorers.ranking.features import PairInputs
from scorers.retrieval.candidates import Candidate
from scorers.suggestions.merge import Merged, Rows
from scorers.suggestions.value import Floats, Forecast
from streams.contracts.messages import CampaignState, Signal


@dataclass(frozen=True, eq=False)
class Batch:
    """What the campaigns scored together share. Rows of a campaign lie together."""

    inputs: PairInputs
    """Its keywords are there for their counts; the text that a seller may see is the candidate's."""
    candidates: list[Candidate]
    """n"""
    market_sums: Floats
    """V; of all searches together."""
    as_of: int
    """ms, the newest moment that any vector was summed for."""
    matrix: NDArray[np.floating]
    """n x features, as the ranker took it."""
    model_version: str
    """Of the bundle that it was scored with."""
    index_version: str
    """Of the keyword index that its candidates come from."""


@dataclass(frozen=True, eq=False)
class CampaignScores:
    """A campaign's k candidate keywords with what they are worth to it."""

    campaign: CampaignState
    keywords: list[Keyword]
    """k, with the text that this seller may see."""
    merged: Merged
    forecast: Forecast
    adopted: frozenset[str]
    grown: frozenset[str]
    """Searched far more in a window than foreseen."""
    surges: Mapping[str, Signal]
    """What was signalled of those that surge: sooner than any window shows it."""
    drifts: Mapping[str, Signal]
    """What was signalled of categories whose rates have changed: something to say, no part of any value."""
    rows: Rows
    first_row: int
    """Number of the campaign's first row in the batch."""
    batch: Batch = field(repr=False)

    def ended(self, now_ms: int) -> bool:
        """Whether the campaign is over."""
        ends_at = self.campaign.ends_at
        return self.campaign.status == "ended" or (ends_at is not None and ends_at <= now_ms)

    @property
    def surging(self) -> frozenset[str]:
        """Keywords of which demand is rising fast, by either measure."""
        return self.grown | self.surges.keys()

    def values(self) -> dict[str, float]:
        """Expected purchases of every candidate, by canonical keyword."""
        return dict(zip(self.number_of, self.merged.value.tolist(), strict=True))

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Number of each keyword, by canonical form."""
        return {keyword.canonical: number for number, keyword in enumerate(self.keywords)}
