"""What each keyword brought a held-out campaign, or truly would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scorers.history import History, attributed
from scorers.suggestions.value import HORIZON_MS
from streams.messages import CampaignState


@dataclass(frozen=True)
class Gains:
    """One campaign's gains. Keywords of one concept share a gain, which a list earns once."""

    of_concept: dict[str, float]
    """Concept -> gain, above 0 only."""
    concept_of: Mapping[str, str]
    """Canonical keyword -> concept; one that is missing is its own."""

    def in_order(self, canonicals: Sequence[str]) -> list[float]:
        """The gain of each place."""
        seen: set[str] = set()
        gains = []
        for canonical in canonicals:
            concept = self.concept_of.get(canonical, canonical)
            gains.append(0.0 if concept in seen else self.of_concept.get(concept, 0.0))
            seen.add(concept)
        return gains

    def best_order(self, canonicals: Sequence[str]) -> list[str]:
        """The order that gains most: by gain, each concept once before any comes again."""
        gains = dict(zip(canonicals, self.in_order(canonicals), strict=True))
        return sorted(canonicals, key=lambda canonical: -gains[canonical])


def purchases_gained(
    history: History, campaigns: Sequence[CampaignState], attribution_window_ms: int
) -> dict[str, Gains]:
    """Attributed purchases of each keyword in the 7 days after creation, for campaigns that had any."""
    clicks = history.clicks.filter(pl.col("campaign").is_in([one.campaign for one in campaigns]))
    bought = attributed(history.clicks, history.purchases, attribution_window_ms).join(
        clicks.select("event_id"), on="event_id", how="semi"
    )
    starts = {one.campaign: one.starts_at for one in campaigns}
    gained: dict[str, dict[str, float]] = {}
    for campaign, canonical, at in bought.select("campaign", "canonical", "purchased_at").iter_rows():
        if at < starts[campaign] + HORIZON_MS:
            of_campaign = gained.setdefault(campaign, {})
            of_campaign[canonical] = of_campaign.get(canonical, 0.0) + 1.0
    return {campaign: Gains(of_concept, {}) for campaign, of_concept in gained.items()}


def true_gains(folder: Path, campaigns: Sequence[CampaignState], texts: Mapping[str, str]) -> dict[str, Gains]:
    """Truly expected purchases of each concept as of creation, summed over the items; nothing without a known truth.

    `texts`: canonical keyword -> its text, by which the simulator's concept is found.
    """
    if not (folder / "truth.parquet").exists():
        return {}
    concepts = dict(pl.read_parquet(folder / "keywords_truth.parquet").select("text", "canonical").iter_rows())
    concept_of = {canonical: concepts[text] for canonical, text in texts.items() if text in concepts}
    values = (
        pl.scan_parquet(folder / "truth.parquet")
        .filter(pl.col("campaign").is_in([one.campaign for one in campaigns]))
        .group_by("campaign", "canonical")
        .agg(pl.col("expected_purchases_at_start").sum())
        .filter(pl.col("expected_purchases_at_start") > 0)
        .collect()
    )
    gained: dict[str, dict[str, float]] = {}
    for campaign, concept, value in values.iter_rows():
        gained.setdefault(campaign, {})[concept] = value
    return {campaign: Gains(of_concept, concept_of) for campaign, of_concept in gained.items()}
