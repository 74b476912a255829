"""Scores many campaigns at once: states, candidates, vectors, one predict, and each campaign's list by value.

`Scorer.score` is that order. It costs a few round trips to the online store (campaigns, products, vectors, live
items), however many campaigns there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo.vector_reader import OnlineSource
from infra import metrics
from infra.clock import Clock
from infra.settings import DAY_MS, Settings
from scorers.keywords.table import Keyword
from scorers.ranking.features import PairInputs
from scorers.retrieval.candidates import ItemRequest
from scorers.scoring.batch import Batch, CampaignScores
from scorers.scoring.feature_cache import FeatureCache
from scorers.scoring.offers import Offer, Offers
from scorers.scoring.states import States
from scorers.suggestions.describe import suggestion
from scorers.suggestions.drifts import Drifts
from scorers.suggestions.growth import growth
from scorers.suggestions.merge import Rows, best_rows, merge
from scorers.suggestions.surges import Surges
from scorers.suggestions.value import HORIZON_MS, Floats, Forecast, forecast, market
from streams.contracts.messages import CampaignState, Contribution, ProductState, Signal, Suggestion


class Ranker(Protocol):
    """P(shown), P(click) and P(purchase | click) of rows."""

    @property
    def version(self) -> str:
        """Names the bundle."""
        ...

    def matrix(self, inputs: PairInputs) -> NDArray[np.floating]:
        """n x features."""
        ...

    def shown(self, inputs: PairInputs, matrix: NDArray[np.floating]) -> Floats:
        """P(shown), n."""
        ...

    def predict(self, matrix: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """P(click) and P(purchase | click), n each."""
        ...

    def explain(self, matrix: NDArray[np.floating]) -> list[list[Contribution]]:
        """For each row the features that contribute most to its P(click)."""
        ...


class Scorer:
    """One for all shards of a worker. Not thread-safe."""

    def __init__(
        self,
        settings: Settings,
        source: OnlineSource,
        offers: Offers,
        ranker: Ranker,
        history_days: float,
        clock: Clock,
    ) -> None:
        """`history_days`: length of the history behind the keywords' volumes."""
        self._settings = settings
        self._states = States(source)
        self._vectors = FeatureCache(source, settings, clock)
        self._offers = offers
        self._surges = Surges()
        self._drifts = Drifts()
        self._clock = clock
        self._ranker = ranker
        self._weeks = max(history_days * DAY_MS / HORIZON_MS, 1.0)
        self._categories: set[str] = set()
        self.news: dict[str, set[str]] = {}

    def succeed(self, before: Scorer) -> None:
        """Take the place of another: what only signals tell, and only once, was told to that one."""
        self._surges, self._drifts = before._surges, before._drifts

    def observe(self, signals: Sequence[Signal]) -> None:
        """Signals of this turn, before any shard acts on them: what they name is read anew."""
        self._vectors.forget(signal.entity for signal in signals)
        self._states.observe(signals)
        self._surges.observe(signals, self._clock.now_ms())
        self._drifts.observe(signals, self._clock.now_ms())
        self.news = self._offers.observe(signals)

    def prepare(self, campaigns: Sequence[str]) -> None:
        """Find candidates where they are due: for the campaigns of all shards at once it costs far less."""
        due = [campaign for campaign in campaigns if self._offers.due(campaign)]
        if due:
            with metrics.SCORE_SECONDS.labels("prepare").time():
                self._offers.of(self._wanted(self._states.campaigns(due)))

    def read(self, campaigns: Sequence[str]) -> list[CampaignState]:
        """The states of those of the campaigns that the online store knows."""
        with metrics.SCORE_SECONDS.labels("states").time():
            return self._states.campaigns(campaigns)

    def score(self, states: list[CampaignState]) -> list[CampaignScores]:
        """Scores of campaigns that were just read."""
        if not states:
            return []
        with metrics.SCORE_SECONDS.labels("candidates").time():
            wanted = self._wanted(states)
            offers = self._offers.of(wanted)
        with metrics.SCORE_SECONDS.labels("features").time():
            batch = self._batch(states, [campaign for campaign, _ in wanted], offers)
        with metrics.SCORE_SECONDS.labels("predict").time():
            p_click, p_purchase = self._ranker.predict(batch.matrix)
            p_shown = self._ranker.shown(batch.inputs, batch.matrix)
        with metrics.SCORE_SECONDS.labels("merge").time():
            scores = self._lists(batch, p_shown, p_click, p_purchase)
        metrics.CAMPAIGNS_SCORED.inc(len(scores))
        return scores

    def describe(self, lists: Sequence[tuple[CampaignScores, Sequence[str]]]) -> list[list[Suggestion]]:
        """For each list of canonical keywords its suggestions, in that order, without ids."""
        chosen = [
            (scores, number, rank, best_rows(scores.rows, number))
            for scores, listed in lists
            for rank, number in enumerate((scores.number_of[canonical] for canonical in listed), 1)
        ]
        if not chosen:
            return [[] for _ in lists]
        with metrics.SCORE_SECONDS.labels("explain").time():
            rows = [scores.batch.matrix[scores.first_row + best[0]] for scores, _, _, best in chosen]
            contributions = self._ranker.explain(np.stack(rows))
        described = iter(
            suggestion(scores, number, rank, best, why, self._settings)
            for (scores, number, rank, best), why in zip(chosen, contributions, strict=True)
        )
        return [[next(described) for _ in listed] for _, listed in lists]

    def read_anew(self) -> None:
        """Signals are missing: no vector read before may be taken for the newest."""
        self._vectors.clear()

    def forget(self, campaign: str) -> None:
        """The campaign is closed."""
        self._offers.forget(campaign)

    def _wanted(self, states: Sequence[CampaignState]) -> list[tuple[str, ItemRequest]]:
        """The campaigns' items for which candidates are wanted."""
        return [
            (state.campaign, ItemRequest(product, state.seller, tuple(keyword.text for keyword in state.keywords)))
            for state in states
            for product in self._states.products(state)
        ]

    def _batch(self, states: list[CampaignState], campaign_of_offer: Sequence[str], offers: Sequence[Offer]) -> Batch:
        """The rows of all offers, with the vectors of everything that they name."""
        campaigns = {state.campaign: number for number, state in enumerate(states)}
        products: dict[str, ProductState] = {offer.product.item: offer.product for offer in offers}
        keywords: dict[str, Keyword] = {}
        for offer in offers:
            keywords.update(zip(offer.canonicals, offer.keywords, strict=True))
        # Categories met before are asked for too: together they are the market.
        self._categories.update(product.category for product in products.values())
        categories = {category: number for number, category in enumerate(sorted(self._categories))}
        vectors = self._vectors.read_many(
            {
                "campaign": list(campaigns),
                "item": list(products),
                "category": list(categories),
                "keyword": list(keywords),
                "pair": [pair for offer in offers for pair in offer.pairs],
            }
        )
        lengths = [len(offer.candidates) for offer in offers]
        candidates = [candidate for offer in offers for candidate in offer.candidates]
        product_numbers = {item: number for number, item in enumerate(products)}
        keyword_numbers = {canonical: number for number, canonical in enumerate(keywords)}
        category_of = np.array([categories[product.category] for product in products.values()], np.int64)
        inputs = PairInputs(
            campaigns=states,
            products=list(products.values()),
            keywords=list(keywords.values()),
            campaign_of=np.repeat(np.array([campaigns[name] for name in campaign_of_offer], np.int64), lengths),
            product_of=np.repeat(np.array([product_numbers[one.product.item] for one in offers], np.int64), lengths),
            keyword_of=np.array([keyword_numbers[form] for offer in offers for form in offer.canonicals], np.int64),
            campaign_sums=vectors["campaign"].sums,
            item_sums=vectors["item"].sums,
            category_sums=vectors["category"].sums[category_of],
            keyword_sums=vectors["keyword"].sums,
            pair_sums=vectors["pair"].sums,
            dense=np.array([one.dense for one in candidates], np.float64),
            lexical=np.array([one.lexical for one in candidates], np.float64),
            live_items=self._states.live_items(list(categories))[category_of],
        )
        return Batch(
            inputs,
            candidates,
            market_sums=market(vectors["category"].sums),
            as_of=max(int(of_kind.as_of.max(initial=0)) for of_kind in vectors.values()),
            matrix=self._ranker.matrix(inputs),
            model_version=self._ranker.version,
            index_version=self._offers.index_version,
        )

    def _lists(self, batch: Batch, p_shown: Floats, p_click: Floats, p_purchase: Floats) -> list[CampaignScores]:
        """Each campaign's keywords with their value to it."""
        inputs, settings = batch.inputs, self._settings
        per_week = np.array([keyword.volume for keyword in inputs.keywords], np.float64) / self._weeks
        demand = forecast(inputs.keyword_sums, batch.market_sums, per_week, settings)
        grown = _grown(demand, settings)
        drifts = self._drifts.by_category()
        starts = np.searchsorted(inputs.campaign_of, np.arange(len(inputs.campaigns) + 1)).tolist()
        scores = []
        for state, start, end in zip(inputs.campaigns, starts[:-1], starts[1:], strict=True):
            own, candidates = slice(start, end), batch.candidates[start:end]
            numbers, firsts, keyword_of = np.unique(inputs.keyword_of[own], return_index=True, return_inverse=True)
            items = [inputs.products[number].item for number in inputs.product_of[own].tolist()]
            rows = Rows(items, keyword_of, p_shown[own], p_click[own], p_purchase[own])
            keywords = [candidates[first].keyword for first in firsts.tolist()]
            scores.append(
                CampaignScores(
                    campaign=state,
                    keywords=keywords,
                    merged=merge(rows, demand.searches[numbers]),
                    forecast=Forecast(demand.searches[numbers], demand.seen[numbers], demand.foreseen[numbers]),
                    adopted=frozenset(one.canonical for one in candidates if "adopted" in one.found),
                    grown=frozenset(keywords[number].canonical for number in np.flatnonzero(grown[numbers])),
                    surges=self._surges.among(keyword.canonical for keyword in keywords),
                    drifts=drifts,
                    rows=rows,
                    first_row=start,
                    batch=batch,
                )
            )
        return scores


def _grown(demand: Forecast, settings: Settings) -> NDArray[np.bool_]:
    """Keywords that in a short window are searched `suggestion_surge_factor` times as often as foreseen, smoothed."""
    ratio = growth(demand.seen, demand.foreseen, settings.forecast_smoothing)
    return np.asarray((ratio >= settings.suggestion_surge_factor).any(axis=1), dtype=np.bool_)
