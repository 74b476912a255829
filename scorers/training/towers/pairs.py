"""What the towers learn from: products and the keywords under which they were clicked and bought, up to a split time.

A pair's label is clicked or purchased, a purchase weighing more. The latest part of the time is for validation: pairs
that were first clicked then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.failure import Failure
from scorers.history import History, attributed, pair_counts
from scorers.keywords.table import Keyword, keyword_table
from scorers.retrieval.sources.co_searched import PURCHASE_WEIGHT
from streams.contracts.messages import ProductState

VALIDATION = 0.15
"""Share of the time up to the split whose new pairs decide when to stop."""

Ints = NDArray[np.int64]


class NoPairs(Failure):
    """The history leaves nothing to learn from. The text says what it lacks."""

    exit_code = 2


@dataclass(frozen=True)
class Pairs:
    """Products and keywords that belong together; rows of two tables."""

    product: Ints
    keyword: Ints
    weight: NDArray[np.float32]
    """log2(1 + clicks + `PURCHASE_WEIGHT` purchases): the tenth click says less than the first."""

    def __len__(self) -> int:
        return len(self.product)


@dataclass(frozen=True)
class TowerData:
    """Tables and pairs as of the split time."""

    products: list[ProductState]
    keywords: list[Keyword]
    training: Pairs
    validation: Pairs


def tower_data(history: History, until: int, attribution_window_ms: int) -> TowerData:
    """Pairs out of the events before `until` (ms).

    Raises:
        NoPairs: no product was clicked in one of the two parts of that time.
    """
    first, _ = history.span
    validated = int(until - VALIDATION * (until - first))
    before = pl.col("event_time") < until
    campaigns = [one for one in history.campaigns if one.starts_at < until]
    keywords = keyword_table(history.searches.filter(before), campaigns, canonical=history.canonical)
    numbers = _Numbers(
        {product.item: row for row, product in enumerate(history.products)},
        {keyword.canonical: row for row, keyword in enumerate(keywords)},
    )
    training = numbers.pairs(_counts(history, validated, attribution_window_ms))
    later = numbers.pairs(_counts(history, until, attribution_window_ms))
    known = set(zip(training.product.tolist(), training.keyword.tolist(), strict=True))
    fresh = np.array([pair not in known for pair in zip(later.product.tolist(), later.keyword.tolist(), strict=True)])
    if not len(training) or not fresh.any():
        lacking = "a new keyword after" if len(training) else "any keyword before"
        raise NoPairs(
            f"{history.folder}: no product was clicked under {lacking} {validated} ms: a longer history is needed"
        )
    validation = Pairs(later.product[fresh], later.keyword[fresh], later.weight[fresh])
    return TowerData(history.products, keywords, training, validation)


def _counts(history: History, until: int, attribution_window_ms: int) -> pl.DataFrame:
    before = pl.col("event_time") < until
    clicks, purchases = history.clicks.filter(before), history.purchases.filter(before)
    return pair_counts(clicks, attributed(clicks, purchases, attribution_window_ms))


@dataclass(frozen=True)
class _Numbers:
    product: dict[str, int]
    keyword: dict[str, int]

    def pairs(self, counts: pl.DataFrame) -> Pairs:
        known = counts.filter(pl.col("item").is_in(list(self.product)) & pl.col("canonical").is_in(list(self.keyword)))
        weight = np.log2(
            1 + known.get_column("clicks").to_numpy() + PURCHASE_WEIGHT * known.get_column("purchases").to_numpy()
        )
        return Pairs(
            np.array([self.product[item] for item in known.get_column("item")], np.int64),
            np.array([self.keyword[canonical] for canonical in known.get_column("canonical")], np.int64),
            weight.astype(np.float32),
        )
