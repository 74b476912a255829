"""The market is hard but learnable: simple orders stay far below the oracle, a model of the right kind does not.

Judged by NDCG@10 with the true value as gain, over the promoted items of held-out campaigns and all canonical keywords
of the market, on seeds that nothing was tuned on. The ceiling is a gradient-boosted tree on text, metadata and counts,
taught the true values of other campaigns' items.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from streams.simulator.market import Market
from streams.simulator.truth import promoted_values
from tests.market import Past, make_market, make_past

Floats = NDArray[np.float64]
SEEDS = (70_001, 70_002)


@dataclass
class Judged:
    """Rows are (item, keyword) for each promoted item and each keyword of the market."""

    past: Past
    items: NDArray[np.int64]
    value: Floats
    """items x keywords."""
    held_out: NDArray[np.bool_]

    def ndcg(self, score: Floats) -> float:
        """Mean NDCG@10 of the held-out items; `score` is items x keywords."""
        discount = 1 / np.log2(np.arange(2, 12))
        value, score = self.value[self.held_out], score[self.held_out]
        got = np.take_along_axis(value, np.argsort(-score, axis=1, kind="stable")[:, :10], axis=1) @ discount
        best = -np.sort(-value, axis=1)[:, :10] @ discount
        return float((got[best > 0] / best[best > 0]).mean())


@pytest.fixture(scope="module", params=SEEDS)
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    past = make_past(make_market(request.param, events=400_000, days=10), tmp_path_factory.mktemp("judged"))
    item, concept, campaign, value = promoted_values(past.market)
    items, row = np.unique(item, return_inverse=True)
    table = np.zeros((len(items), len(past.market.concepts)))
    table[row, concept] = value
    owner = np.zeros(len(items), dtype=np.int64)
    owner[row] = campaign
    return Judged(past, items, table, owner % 4 == 0)


def words(text: str) -> list[str]:
    return [word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower())]


def documents(market: Market) -> list[str]:
    return [
        " ".join([product.title, product.brand or "", product.condition, *product.specification.values()])
        for product in market.catalogue.products
    ]


def lexical(market: Market, items: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Okapi BM25 (k1 1.2, b 0.75) and the idf-weighted share of the keyword's words in the text; items x keywords."""
    bags = [Counter(words(text)) for text in documents(market)]
    asked = [words(text) for text in market.concepts.text]
    number = {word: place for place, word in enumerate(sorted({word for bag in (*bags, *asked) for word in bag}))}
    times = np.zeros((len(bags), len(number)))
    for row, bag in enumerate(bags):
        times[row, [number[word] for word in bag]] = list(bag.values())
    query = np.zeros((len(asked), len(number)))
    for row, wanted in enumerate(asked):
        query[row, [number[word] for word in wanted]] = 1
    holds = (times > 0).sum(axis=0)
    idf = np.log(1 + (len(bags) - holds + 0.5) / (holds + 0.5))
    length = times.sum(axis=1, keepdims=True)
    weight = idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / length.mean()))
    covered = ((times[items] > 0) * idf) @ query.T / (query @ idf)
    return weight[items] @ query.T, covered


@pytest.fixture(scope="module")
def text_scores(judged: Judged) -> tuple[Floats, Floats]:
    return lexical(judged.past.market, judged.items)


def counts(past: Past) -> dict[str, Floats]:
    """Per keyword: searches, impressions, clicks, purchases and their price, from the events alone."""
    market = past.market
    place = dict(zip(market.keywords.text, market.keywords.concept.tolist(), strict=True))
    frame = {name: past.read(name).unique("event_id") for name in ("search", "impression", "click", "purchase")}
    click = frame["click"].sort("event_time").unique(["shopper", "item"], keep="last")
    bought = frame["purchase"].join(click.select("shopper", "item", "keyword"), on=["shopper", "item"])

    def summed(texts: pl.Series, weight: Floats | None = None) -> Floats:
        concept = np.array([place.get(text, -1) for text in texts.to_list()])
        weight = weight[concept >= 0] if weight is not None else None
        return np.bincount(concept[concept >= 0], weight, minlength=len(market.concepts)).astype(np.float64)

    return {
        "searches": summed(frame["search"]["query"]),
        "impressions": summed(frame["impression"]["keyword"]),
        "clicks": summed(frame["click"]["keyword"]),
        "purchases": summed(bought["keyword"]),
        "revenue": summed(bought["keyword"], bought["unit_price"].to_numpy().astype(np.float64)),
    }


def popularity_in_category(judged: Judged, searches: Floats) -> Floats:
    market = judged.past.market
    same = market.catalogue.shelf[judged.items][:, None] == market.concepts.shelf[None, :]
    return searches[None, :] * same


def ceiling(judged: Judged, text_scores: tuple[Floats, Floats]) -> Floats:
    """Scores of a model that was taught the true values of the items that are not held out."""
    import xgboost

    market, items = judged.past.market, judged.items
    count = counts(judged.past)
    same = market.catalogue.shelf[items][:, None] == market.concepts.shelf[None, :]
    row, concept = np.nonzero(same)
    item, owner = items[row], market.campaigns.owner(len(market.catalogue))[items[row]]
    adopters, bids = np.zeros(len(market.concepts)), np.zeros(len(market.concepts))
    for choice in (choice for choices in market.campaigns.choices for choice in choices if choice.concept >= 0):
        adopters[choice.concept] += 1
        bids[choice.concept] += choice.bid
    with np.errstate(divide="ignore", invalid="ignore"):
        price_bought = np.log(count["revenue"] / count["purchases"])
    features = np.column_stack(
        [
            text_scores[0][row, concept],
            text_scores[1][row, concept],
            np.array([len(text.split()) for text in market.concepts.text])[concept],
            np.log1p(count["searches"])[concept],
            ((count["clicks"] + 12) / (count["impressions"] + 200))[concept],
            ((count["purchases"] + 2) / (count["clicks"] + 20))[concept],
            np.log(market.catalogue.price[item]) - price_bought[concept],
            market.catalogue.relative_price[item],
            adopters[concept],
            (bids / np.maximum(1, adopters))[concept],
            market.campaigns.bid[owner],
            market.campaigns.ad_rate[owner],
            market.catalogue.shelf[item],
        ]
    )
    taught = ~judged.held_out[row]
    target = np.log(judged.value[row, concept] + 1e-6)
    options = {"max_depth": 7, "eta": 0.15, "subsample": 0.8, "nthread": 2, "seed": 1}
    model = xgboost.train(options, xgboost.DMatrix(features[taught], target[taught]), 150)
    score = np.full(judged.value.shape, -np.inf)
    score[row, concept] = model.predict(xgboost.DMatrix(features))
    return score


@pytest.mark.slow
def test_simple_orders_stay_below_the_oracle_and_the_ceiling_well_above_them(
    judged: Judged, text_scores: tuple[Floats, Floats]
) -> None:
    searches = counts(judged.past)["searches"]
    reached = {
        "popularity": judged.ndcg(np.broadcast_to(searches, judged.value.shape)),
        "popularity in category": judged.ndcg(popularity_in_category(judged, searches)),
        "BM25": judged.ndcg(text_scores[0]),
    }
    assert judged.ndcg(judged.value) == 1
    assert all(value <= 0.85 for value in reached.values()), reached
    above = judged.ndcg(ceiling(judged, text_scores))
    assert above >= max(reached.values()) + 0.10, (above, reached)


@pytest.mark.slow
def test_dense_similarity_stays_below_the_oracle_too(judged: Judged) -> None:
    pytest.importorskip("sentence_transformers")
    from scorers.retrieval.encoders import SentenceTransformerEncoder

    encoder = SentenceTransformerEncoder()
    texts = documents(judged.past.market)
    rows, columns = np.flatnonzero(judged.held_out)[:60], np.arange(0, judged.value.shape[1], 2)
    part = Judged(judged.past, judged.items[rows], judged.value[np.ix_(rows, columns)], np.ones(len(rows), dtype=bool))
    products = encoder.encode([texts[item] for item in part.items.tolist()])
    keywords = encoder.encode([judged.past.market.concepts.text[column] for column in columns.tolist()])
    reached = part.ndcg((products @ keywords.T).astype(np.float64))
    assert reached <= 0.85


def test_the_default_market_is_as_large_as_promised(large_past: Past) -> None:
    market = large_past.market
    assert len(market.catalogue) >= 2_000
    assert len(market.campaigns) >= 300
    assert len(market.keywords) >= 10_000
    assert len(market.catalogue.shelves) >= 12


def test_there_are_sparse_pairs_and_new_items(large_past: Past) -> None:
    pairs = large_past.read("impression").group_by("item", "keyword").len()
    assert (pairs["len"] <= 2).mean() > 0.3
    market = large_past.market
    assert (market.stock.listed > market.plan.start_ms).mean() > 0.04
    assert (market.stock.back > market.stock.gone).mean() > 0.02
