"""The organic results of a page: the shelf's items by relevance and popularity, with a little of today's noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.simulator.catalogue import Catalogue, Floats, Ints
from streams.simulator.clicks import Clicks
from streams.simulator.concepts import Concepts
from streams.simulator.purchases import Purchases
from streams.simulator.relevance import RELEVANCE_FLOOR, fit
from streams.simulator.stock import Stock

POOL = 14
"""Items that compete for a concept's organic places."""
PLACES = 6
_JITTER = 0.25


@dataclass(frozen=True)
class Organic:
    """concepts x POOL: the items that a concept can show and their rank scores; item -1 where there are fewer."""

    item: Ints
    score: Floats

    def draw(self, rng: np.random.Generator, concept: Ints, at: Ints, sponsored: Ints, stock: Stock) -> Ints:
        """n x PLACES items, the best first, -1 where there is none; an item already shown as an ad is left out."""
        item = self.item[concept]
        shown = (item >= 0) & stock.on_sale(item, at[:, None])
        for place in range(sponsored.shape[1]):
            shown &= item != sponsored[:, place, None]
        noise = rng.standard_normal(item.shape, dtype=np.float32) * np.float32(_JITTER)
        score = np.where(shown, self.score[concept].astype(np.float32) + noise, -np.inf)
        order = np.argsort(-score, axis=1)[:, :PLACES]
        ranked = np.take_along_axis(item, order, axis=1)
        return np.asarray(np.where(np.take_along_axis(shown, order, axis=1), ranked, -1))


def rank_organic(catalogue: Catalogue, concepts: Concepts, clicks: Clicks, purchases: Purchases) -> Organic:
    """Score = 3 x relevance + charm + half the quality: what the platform learnt from the past, imperfectly."""
    item = np.full((len(concepts), POOL), -1, dtype=np.int64)
    score = np.zeros((len(concepts), POOL))
    known = clicks.charm + 0.5 * purchases.quality
    for place in range(len(catalogue.shelves)):
        items = np.flatnonzero(catalogue.shelf == place)
        asked = np.flatnonzero(concepts.shelf == place)
        if not len(items) or not len(asked):
            continue
        relevance = fit(catalogue, concepts, items[None, :], asked[:, None]).relevance
        value = np.where(relevance >= RELEVANCE_FLOOR, 3 * relevance + known[items], -np.inf)
        best = np.argsort(-value, axis=1, kind="stable")[:, :POOL]
        top = np.take_along_axis(value, best, axis=1)
        width = best.shape[1]
        item[asked, :width] = np.where(np.isfinite(top), items[best], -1)
        score[asked, :width] = np.where(np.isfinite(top), top, 0.0)
    return Organic(item, score)
