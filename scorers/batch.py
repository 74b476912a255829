"""Campaigns scored together: what is known of each (campaign, item, keyword) row, and each campaign's scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scorers.keywords.table import Keyword
from scorers.retrieval.candidates import Candidate
from scorers.suggestions.merge import Ints, Merged, Rows
from scorers.suggestions.value import Floats, Forecast
from streams.messages import CampaignState, ProductState


@dataclass(frozen=True, eq=False)
class PairInputs:
    """All that is known of n (campaign, item, keyword) rows, over distinct campaigns, products and keywords.

    Rows of a campaign lie together, and so do those of an item in it.
    """

    campaigns: list[CampaignState]
    products: list[ProductState]
    keywords: list[Keyword]
    """For their counts. The text is a row's own: sellers see their adopted keywords in their own words."""
    campaign_of: Ints
    """n; index into `campaigns`; the same for the other two."""
    product_of: Ints
    keyword_of: Ints
    candidates: list[Candidate]
    """n"""
    campaign_sums: Floats
    """campaigns x V"""
    item_sums: Floats
    """products x V"""
    category_sums: Floats
    """products x V, of each product's category."""
    keyword_sums: Floats
    """keywords x V"""
    pair_sums: Floats
    """n x V"""
    market_sums: Floats
    """V; of all searches together."""
    as_of: int
    """ms, the newest moment that any vector was summed for."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What the campaigns scored together share."""

    inputs: PairInputs
    matrix: NDArray[np.floating]
    """n x features, as the ranker took it."""


@dataclass(frozen=True, eq=False)
class CampaignScores:
    """A campaign's k candidate keywords with what they are worth to it."""

    campaign: CampaignState
    keywords: list[Keyword]
    """k, with the text that this seller may see."""
    merged: Merged
    forecast: Forecast
    adopted: frozenset[str]
    surging: frozenset[str]
    """Searched far more than foreseen."""
    rows: Rows
    first_row: int
    """Number of the campaign's first row in the batch."""
    batch: Batch = field(repr=False)

    def ended(self, now_ms: int) -> bool:
        """Whether the campaign is over."""
        ends_at = self.campaign.ends_at
        return self.campaign.status == "ended" or (ends_at is not None and ends_at <= now_ms)

    def values(self) -> dict[str, float]:
        """Expected purchases of every candidate, by canonical keyword."""
        return dict(zip(self.number_of, self.merged.value.tolist(), strict=True))

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Number of each keyword, by canonical form."""
        return {keyword.canonical: number for number, keyword in enumerate(self.keywords)}
