"""What each keyword brought a held-out campaign, or truly would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scorers.history import History, attributed
from scorers.suggestions.value import HORIZON_MS
from streams.contracts.messages import CampaignState

RELEVANT = 20
"""As many keywords as a list suggests."""
LEAST_CLICKS = 30


@dataclass(frozen=True)
class Gains:
    """One campaign's gains. Keywords of one concept share a gain, which a list earns once."""

    of_concept: dict[str, float]
    """Concept -> gain, above 0 only."""
    concept_of: Mapping[str, str]
    """Canonical keyword -> concept; one that is missing is its own."""
    chosen: frozenset[str] | None = None
    """Concepts that the campaign could have earned by; None for all."""

    @property
    def relevant(self) -> set[str]:
        """Concepts worth finding: those with most gain, at most `RELEVANT`."""
        best = sorted(self.of_concept, key=lambda concept: (-self.of_concept[concept], concept))
        return set(best[:RELEVANT])

    def concepts(self, canonicals: Sequence[str]) -> list[str]:
        """Of each place."""
        return [self.concept_of.get(canonical, canonical) for canonical in canonicals]

    def in_order(self, canonicals: Sequence[str]) -> list[float]:
        """The gain of each place."""
        seen: set[str] = set()
        gains = []
        for concept in self.concepts(canonicals):
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
    """Attributed purchases of each keyword in the 7 days after creation, for campaigns that had any.

    What a campaign could have earned by are the keywords that it chose, and those under which it was clicked.
    """
    earned = _bought(history, campaigns, attribution_window_ms).group_by("campaign", "canonical").len()
    clicks = _clicks(history, campaigns)
    chosen = {one.campaign: {history.canonical(keyword.text) for keyword in one.keywords} for one in campaigns}
    for campaign, canonical in clicks.select("campaign", "canonical").unique().iter_rows():
        chosen[campaign].add(canonical)
    gained: dict[str, dict[str, float]] = {}
    for campaign, canonical, purchases in earned.iter_rows():
        gained.setdefault(campaign, {})[canonical] = float(purchases)
    return {campaign: Gains(of, {}, frozenset(chosen[campaign])) for campaign, of in gained.items()}


def successful(history: History, campaigns: Sequence[CampaignState], attribution_window_ms: int) -> set[str]:
    """Campaigns with a purchase, at least `LEAST_CLICKS` clicks, and a purchase rate above their category's.

    The rate is smoothed towards the category's with a weight of as many clicks.
    """
    clicks = _clicks(history, campaigns).group_by("campaign").agg(clicks=pl.len())
    bought = _bought(history, campaigns, attribution_window_ms).group_by("campaign").agg(purchases=pl.len())
    categories = dict(history.impressions.select("item", "category").unique("item").iter_rows())
    of_item = pl.col("item").replace_strict(categories, default=None)
    clicked = history.clicks.group_by(of_item.alias("category")).len("clicks")
    sold = attributed(history.clicks, history.purchases, attribution_window_ms)
    rates = clicked.join(sold.group_by(of_item.alias("category")).len("purchases"), on="category", how="left")
    usual = dict(rates.select("category", pl.col("purchases").fill_null(0) / pl.col("clicks")).iter_rows())
    own = {one.campaign: usual.get(one.category, 0.0) for one in campaigns}
    joined = clicks.join(bought, on="campaign")
    return {
        campaign
        for campaign, clicks, purchases in joined.iter_rows()
        if clicks >= LEAST_CLICKS
        and (purchases + LEAST_CLICKS * own[campaign]) / (clicks + LEAST_CLICKS) > own[campaign]
    }


def _clicks(history: History, campaigns: Sequence[CampaignState]) -> pl.DataFrame:
    """Of the campaigns, in the 7 days after each was created."""
    starts = pl.DataFrame(
        {"campaign": [one.campaign for one in campaigns], "starts": [one.starts_at for one in campaigns]}
    )
    clicks = history.clicks.join(starts, on="campaign")
    return clicks.filter(pl.col("event_time") < pl.col("starts") + HORIZON_MS)


def _bought(history: History, campaigns: Sequence[CampaignState], attribution_window_ms: int) -> pl.DataFrame:
    """The clicks of the campaigns that led to a purchase in the 7 days after each was created; a row a purchase."""
    bought = attributed(history.clicks, history.purchases, attribution_window_ms).join(
        _clicks(history, campaigns).select("event_id", "starts"), on="event_id"
    )
    return bought.filter(pl.col("purchased_at") < pl.col("starts") + HORIZON_MS)


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
