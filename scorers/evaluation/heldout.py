"""Held-out campaigns as of just before each was created: candidates and features that nothing of theirs had reached.

Candidates come from all sources as they stood when training ended; the adopted source is off. Features are joined at
the last millisecond before creation. `check_nothing_leaked` refuses rows that know more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.clock import ManualClock
from infra.settings import DAY_MS, Settings
from scorers.history import History, attributed, pair_counts
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.keywords.table import Keyword, keyword_table
from scorers.ranking.features import Sums
from scorers.retrieval.candidates import Candidate, CandidateGenerator, ItemRequest
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.neighbours import ExactNeighbours
from streams.contracts.messages import CampaignState

SHORTEST_OUTCOME_MS = DAY_MS
MOST_CAMPAIGNS = 150
POOL = 200
"""Most candidates of an item that are judged: more than workers score, so that a ranker is judged apart from what a
worker has time for."""


class Leak(Exception):
    """Rows to be judged know of what came after their campaign was created. The text says what."""


@dataclass(frozen=True)
class HeldOut:
    """Campaigns created after training ended, with their candidates as rows."""

    campaigns: list[CampaignState]
    rows: pl.DataFrame
    """event_time (just before creation), campaign, item, category, canonical, dense, fused, and each source's score if
    it found it (`source_<name>`); a row a candidate."""
    keywords: dict[str, Keyword]
    """By canonical form, as the table stood when training ended."""
    days: float
    """Length of the history behind that table."""


def held_out_campaigns(history: History, trained_until: int, most: int = MOST_CAMPAIGNS) -> list[CampaignState]:
    """Campaigns created since then, at least `SHORTEST_OUTCOME_MS` before the history's end; the earliest `most`."""
    latest = history.span[1] - SHORTEST_OUTCOME_MS
    fresh = [one for one in history.campaigns if trained_until < one.starts_at <= latest]
    return sorted(fresh, key=lambda one: (one.starts_at, one.campaign))[:most]


def held_out(
    history: History, trained_until: int, known: EmbeddedKeywords, encoder: Encoder, settings: Settings
) -> HeldOut:
    """The held-out campaigns and their candidates, at or above the relevance floor as in serving.

    `known` are keywords of the whole history: their vectors are used again where the text was the same.
    """
    campaigns = held_out_campaigns(history, trained_until)
    generator, days = generator_as_of(history, trained_until, known, encoder, settings)
    products = {product.item: product for product in history.products}
    wanted = [
        (one, ItemRequest(products[item], one.seller)) for one in campaigns for item in one.items if item in products
    ]
    found = generator.for_items([request for _, request in wanted])
    rows = [
        (campaign.starts_at - 1, campaign.campaign, request.product.item, request.product.category, one)
        for (campaign, request), candidates in zip(wanted, found, strict=True)
        for one in candidates
        if one.dense >= settings.relevance_floor
    ]
    return HeldOut(
        campaigns,
        _frame(rows, [source.name for source in generator.sources]),
        {one.canonical: one.keyword for *_, one in rows},
        days,
    )


def similarities(cases: HeldOut, history: History, encoder: Encoder, known: EmbeddedKeywords) -> NDArray[np.float32]:
    """Cosine of each row's product and keyword by an encoder; `known` are keywords that it has embedded."""
    items = cases.rows.get_column("item").to_numpy()
    canonicals = cases.rows.get_column("canonical").to_numpy()
    asked, product_of = np.unique(items.astype(str), return_inverse=True)
    wanted, keyword_of = np.unique(canonicals.astype(str), return_inverse=True)
    products = {product.item: product for product in history.products}
    of_products = encoder.encode_products([products[item] for item in asked.tolist()])
    of_keywords = _vectors([cases.keywords[canonical] for canonical in wanted.tolist()], known, encoder)
    cosines: NDArray[np.float32] = (of_products[product_of] * of_keywords[keyword_of]).sum(axis=1)
    return cosines


def generator_as_of(
    history: History,
    until: int,
    known: EmbeddedKeywords,
    encoder: Encoder,
    settings: Settings,
) -> tuple[CandidateGenerator, float]:
    """All sources as they stood at `until` (ms), up to `POOL` candidates, and the days of history behind them."""
    before = pl.col("event_time") < until
    campaigns = [one for one in history.campaigns if one.starts_at < until]
    table = keyword_table(history.searches.filter(before), campaigns, canonical=history.canonical)
    catalogue = KeywordCatalogue(table, _vectors(table, known, encoder))
    clicks, purchases = history.clicks.filter(before), history.purchases.filter(before)
    pairs = pair_counts(clicks, attributed(clicks, purchases, settings.attribution_window_ms))
    days = (until - history.span[0]) / DAY_MS
    index = ExactNeighbours(catalogue, f"as of {until}")
    clock = ManualClock(until)
    wide = settings.model_copy(update={"candidates_per_source": POOL, "candidates_max": POOL})
    generator = CandidateGenerator(
        wide, encoder, catalogue, index, clock, pairs.iter_rows(), days, canonical=history.canonical
    )
    return generator, days


def check_nothing_leaked(rows: pl.DataFrame, sums: Sums, campaigns: Sequence[CampaignState]) -> None:
    """
    Raises:
        Leak: a row is not older than its campaign, or its features hold counts of the campaign itself.
    """
    created = {one.campaign: one.starts_at for one in campaigns}
    for campaign, moment in rows.select("campaign", "event_time").unique().sort("campaign").iter_rows():
        if moment >= created[campaign]:
            raise Leak(f"campaign {campaign}: judged as of {moment}, it was created at {created[campaign]}")
    counted = np.flatnonzero(sums.campaign.any(axis=1))
    if len(counted):
        campaign = rows.item(int(counted[0]), "campaign")
        raise Leak(f"campaign {campaign}: its features hold its own counts, from after it was created")


def _vectors(table: Sequence[Keyword], known: EmbeddedKeywords, encoder: Encoder) -> NDArray[np.float32]:
    row_of = {keyword.text: row for row, keyword in enumerate(known.keywords)}
    vectors = np.zeros((len(table), known.vectors.shape[1]), np.float32)
    places = np.array([row_of.get(keyword.text, -1) for keyword in table], np.int64)
    vectors[places >= 0] = known.vectors[places[places >= 0]]
    vectors[places < 0] = encoder.encode([keyword.text for keyword, at in zip(table, places, strict=True) if at < 0])
    return vectors


def _frame(rows: Sequence[tuple[int, str, str, str, Candidate]], sources: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_time": [row[0] for row in rows],
            "campaign": [row[1] for row in rows],
            "item": [row[2] for row in rows],
            "category": [row[3] for row in rows],
            "canonical": [row[4].canonical for row in rows],
            "dense": [row[4].dense for row in rows],
            "fused": [row[4].fused for row in rows],
        }
        | {
            f"source_{name}": [row[4].found[name].score if name in row[4].found else None for row in rows]
            for name in sources
        },
        schema={
            "event_time": pl.Int64,
            "campaign": pl.String,
            "item": pl.String,
            "category": pl.String,
            "canonical": pl.String,
            "dense": pl.Float64,
            "fused": pl.Float64,
        }
        | {f"source_{name}": pl.Float64 for name in sources},
    )
