"""What each decision of training is worth: the same trees, taught with one thing changed, on held-out impressions.

Simulated markets only: probabilities are held against the truth. A study takes about as long as a training.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from infra.settings import Settings
from infra.steps import Steps
from scorers.evaluation.components import Components
from scorers.evaluation.impressions import Flags, Impressions, against_truth, true_probabilities
from scorers.evaluation.judgement import Table
from scorers.evaluation.measures import DEPTH
from scorers.evaluation.targets import BASELINES
from scorers.history import History
from scorers.ranking.features import Floats, Vocabulary, feature_names, feature_types
from scorers.ranking.model import TARGETS, PairModel, Probabilities
from scorers.retrieval.matching import Matcher
from scorers.training.dataset import as_clicked
from scorers.training.examination import Examination, examination
from scorers.training.examples import Examples, Features
from scorers.training.learners.boosted import BoostedLearner
from scorers.training.measures import grouped_ndcg, log_loss
from scorers.training.ranker import TrainingSet, training_set

_SIMILARITY = ("dense", "lexical", "keyword_words", "missing_words", "contradicted_words")
_RESAMPLES = 2_000
_RANKING_ROUNDS = 150
Study = dict[str, Any]
"""`text` and `rows`: label -> measure -> figure."""


class Studies:
    """All studies of one history, over one training set."""

    def __init__(
        self,
        history: History,
        matcher: Matcher,
        vocabulary: Vocabulary,
        held: Impressions,
        settings: Settings,
        steps: Steps,
    ) -> None:
        self._history, self._matcher, self._held, self._steps = history, matcher, held, steps
        self._features = Features(feature_names(settings.windows), feature_types(settings.windows))
        self._learner = BoostedLearner(self._features)
        self._set = partial(training_set, history, matcher, vocabulary, settings, steps)
        self._learning = self._set()

    def all(self) -> dict[str, Study]:
        """Places, hidden pairs, inputs, and ranking against classifying."""
        return {
            "places": self._places(),
            "hidden_pairs": self._hidden(),
            "inputs": self._inputs(),
            "classifier_or_ranker": self._ranking(),
        }

    def ceiling(self) -> Probabilities:
        """The same trees and features, taught the true probabilities of the same rows."""
        true = true_probabilities(self._learning.rows, self._history.folder)
        late = self._learning.late("click")
        parts: dict[str, Any] = {}
        for target in TARGETS:
            training, validation = (
                _soft(self._learning, true[target], chosen & ~np.isnan(true[target])) for chosen in (~late, late)
            )
            parts[target] = self._fit(f"ceiling, {target}", target, training, validation)
        return Probabilities(self._learner.model(parts), {})

    def _places(self) -> Study:
        """Corrected within pairs, by all clicks, and not at all."""
        shown = as_clicked(self._history, self._learning.known_until)
        ways = {
            "corrected, decay within pairs": self._learning.examination,
            "corrected, decay of all clicks": examination(shown.with_columns(all=1), ["all"]),
            "not corrected": Examination(0.0),
        }
        rows = {}
        for label, looked in ways.items():
            changed = replace(self._learning, examination=looked)
            predicted = self._taught(f"places, {label}", changed, "click")
            rows[label] = {"decay": looked.decay} | self._judged("click", "all", predicted, looked)
        return {"text": "P(click): how places are corrected. Truth is for the reference position.", "rows": rows}

    def _hidden(self) -> Study:
        """With and without the pair's own counts hidden on a share of the rows."""
        rows = {}
        ways = {"hidden on 30 % of the rows": self._learning, "never hidden": self._set(hidden=0.0)}
        for label, learning in ways.items():
            predicted = self._taught(f"pairs, {label}", learning, "click")
            for slice_name in ("pair never shown", "pair shown before", "shuffled pages"):
                rows[f"{label}: {slice_name}"] = self._judged("click", slice_name, predicted, learning.examination)
        return {"text": "P(click): the pair's own counts hidden in training or not.", "rows": rows}

    def _inputs(self) -> Study:
        """Similarity alone, with the vectors behind it, with metadata, with counts too."""
        components = Components(self._history.products, self._matcher, self._learning.rows)
        names = [*self._features.names, *components.names]
        ours, vectors = set(self._features.names), set(components.names)
        counted = {name for name in ours if name.endswith(("24h", "7d", "recency")) or "_trend_" in name}
        ways = {
            "similarity alone": set(_SIMILARITY),
            "similarity and vectors": vectors | set(_SIMILARITY),
            "similarity and metadata": ours - counted,
            "and vectors": vectors | ours - counted,
            "and counts (all)": ours,
            "all and vectors": vectors | ours,
        }
        types = [*self._features.types, *("q" for _ in components.names)]
        learning, held = (np.hstack([of.features, components.of(of.rows)]) for of in (self._learning, self._held))
        rows = {}
        for label, kept in ways.items():
            at = [column for column, name in enumerate(names) if name in kept]
            given = Features([names[column] for column in at], [types[column] for column in at])
            study = self._given(given, learning[:, at], held[:, at])
            for target in TARGETS:
                predicted = study._taught(f"inputs, {target}, {label}", study._learning, target)
                rows[f"{target}: {label}"] = study._judged(target, "all", predicted, self._learning.examination)
        return {
            "text": "What the trees are given.",
            "rows": dict(sorted(rows.items(), key=lambda row: row[0].split(":")[0])),
        }

    def _given(self, features: Features, learning: NDArray[np.float32], held: NDArray[np.float32]) -> Studies:
        """The same over other columns of the same rows."""
        other = copy(self)
        other._features, other._learner = features, BoostedLearner(features)
        other._learning = replace(self._learning, features=learning)
        other._held = replace(self._held, features=held)
        return other

    def _ranking(self) -> Study:
        """LambdaMART against the classifier, on the order of each item's rows."""
        ranker = _lambdamart(self._learning.split("click")[0], self._features)
        classifier = self._taught("classifier, click", self._learning, "click")
        held = self._held.examples("click", self._held.slices["all"], self._learning.examination)
        rows = xgboost.DMatrix(held.matrix, feature_types=list(self._features.types), enable_categorical=True)
        true = np.nan_to_num(self._held.truth["click"])
        ways = {"classifier": classifier, "LambdaMART": ranker.predict(rows).astype(np.float64)}
        return {
            "text": f"NDCG@{DEPTH} of each item's held-out impressions. Clicks depend on the place too; the truth does "
            "not. LambdaMART (rank:ndcg) gives no probability.",
            "rows": {
                name: {
                    "by_clicks": grouped_ndcg(held.groups, scores, held.labels),
                    "by_truth": grouped_ndcg(held.groups, scores, true),
                }
                for name, scores in ways.items()
            },
        }

    def _taught(self, title: str, learning: TrainingSet, target: str) -> Floats:
        """Predictions for the held-out impressions of trees that were taught so."""
        part = self._fit(title, target, *learning.split(target))
        model: PairModel = self._learner.model({target: part})
        return np.asarray(1 / (1 + np.exp(-model.log_odds(self._held.features, target))))

    def _fit(self, title: str, target: str, training: Examples, validation: Examples) -> Any:
        with self._steps.step(title) as advance:
            part, _ = self._learner.fit(
                target, training, validation, self._learner.defaults, lambda done: advance(done.number, done.most)
            )
        return part

    def _judged(self, target: str, slice_name: str, predicted: Floats, looked: Examination) -> dict[str, Any]:
        chosen: Flags = self._held.chosen(target, self._held.slices[slice_name])
        rows = self._held.examples(target, chosen, looked)
        given = predicted[chosen]
        truth = against_truth(self._held.truth[target][chosen], given, rows.weights.astype(np.float64))
        return {"log_loss": log_loss(rows, rows.examined * given)} | (truth or {})


def recovered(table: Table, measure: str = "ndcg_at_10") -> Study:
    """Share of the gap from the best baseline to the ceiling that the ranker recovers, with a bootstrap interval."""
    best = max((name for name in BASELINES if name in table), key=lambda name: float(table[name][measure].mean()))
    model, ceiling, base = (table[name][measure] for name in ("model", "ceiling", best))
    drawn = np.random.default_rng(7).integers(len(model), size=(_RESAMPLES, len(model)))

    def share(rows: Callable[[Floats], NDArray[np.floating]]) -> NDArray[np.floating]:
        return np.asarray((rows(model) - rows(base)) / (rows(ceiling) - rows(base)))

    shares = share(lambda values: values[drawn].mean(axis=1))
    low, high = np.quantile(shares, [0.025, 0.975])
    means = {name: float(table[name][measure].mean()) for name in (best, "model", "ceiling", "oracle")}
    return {
        "text": "The ceiling: the same trees and features, taught the true probabilities of the same rows.",
        "recovered": {"mean": float(share(np.mean)), "low": float(low), "high": float(high)},
        "rows": {name: {measure: mean} for name, mean in means.items()},
    }


def _soft(learning: TrainingSet, true: Floats, chosen: Flags) -> Examples:
    """Each row twice, as a positive and as a negative, weighted by its true probabilities."""
    weights = learning.rows.get_column("weight").to_numpy()[chosen].astype(np.float64)
    p, n = true[chosen], int(chosen.sum())
    groups = learning.rows.get_column("item").rank("dense").to_numpy().astype(np.int64)[chosen]
    return Examples(
        np.vstack([learning.features[chosen]] * 2),
        np.repeat([True, False], n),
        np.concatenate([weights * p, weights * (1 - p)]).astype(np.float32),
        np.ones(2 * n),
        np.concatenate([groups, groups]),
    )


def _lambdamart(training: Examples, features: Features) -> xgboost.Booster:
    """Burges, "From RankNet to LambdaRank to LambdaMART", 2010; lists are the rows of an item."""
    order = np.argsort(training.groups, kind="stable")
    rows = xgboost.DMatrix(
        training.matrix[order],
        label=training.labels[order],
        qid=training.groups[order],
        feature_types=list(features.types),
        enable_categorical=True,
    )
    parameters = {"objective": "rank:ndcg", "eta": 0.1, "max_depth": 4, "tree_method": "hist", "seed": 7, "nthread": 1}
    return xgboost.train(parameters, rows, num_boost_round=_RANKING_ROUNDS)
