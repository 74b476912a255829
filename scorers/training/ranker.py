"""From history to a bundle: label rows, join features, fit both models, write all that a worker needs.

The last part of the history (`HOLDOUT`) is kept from training altogether, so that campaigns created in it can judge the
very models that are shipped.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.clock import Clock, SystemClock
from infra.settings import Settings
from scorers.history import History, attributed, pair_counts
from scorers.keywords.embedded import embedded_keywords, keyword_folder
from scorers.ranking import bundle
from scorers.ranking.boosted import Boosted, CannotLearn, Examples, fit
from scorers.ranking.explanation import plot_summary
from scorers.ranking.features import Vocabulary, feature_names, feature_types, matrix, vocabulary_of
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import OnnxEncoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.matching import Matcher
from scorers.steps import Steps
from scorers.training.dataset import examples, facts_of, hide_pairs, join_vectors, label_rows
from streams.messages import ProductState

HOLDOUT = 0.3
"""Share of the history's time that training does not see."""
_WARM_UP = 0.1
"""Share of the history's time at its start whose rows are not learnt from: their windows are not yet full."""
_VALIDATION = 0.2
"""Share of the rows, the latest, that decide when to stop."""
_PLOTTED_ROWS = 400
_OUTCOME = {"click": "clicked", "purchase": "purchased"}


@dataclass(frozen=True)
class TrainingSet:
    """Label rows and their features."""

    rows: pl.DataFrame
    """As `label_rows` gives them."""
    features: NDArray[np.float32]
    known_until: int
    """ms; no event from then on was seen."""

    def split(self, target: str) -> tuple[Examples, Examples]:
        """Earlier rows to learn `target` from and later ones to stop by."""
        judged = np.ones(len(self.rows), np.bool_) if target == "click" else self.rows.get_column("clicked").to_numpy()
        times = self.rows.get_column("event_time").to_numpy()
        late = times >= np.quantile(times, 1 - _VALIDATION)
        return (
            examples(self.features, self.rows, _OUTCOME[target], judged & ~late),
            examples(self.features, self.rows, _OUTCOME[target], judged & late),
        )


def train(folder: Path, settings: Settings, clock: Clock, steps: Steps, plots: Path) -> bundle.Manifest:
    """Train on the history in `folder` and write the bundle to `settings.bundle_path`; plots go into `plots`.

    Raises:
        BadHistory: the folder cannot be used.
        NoFeatureLog: no features were archived for it: `keypulse backfill` comes first.
        CannotLearn: too little history.
    """
    history = History(folder)
    with steps.step("embedding model"):
        encoder = OnnxEncoder(ensure_export(settings))
    with steps.step("keywords embedded") as advance:
        keywords = embedded_keywords(history, encoder, keyword_folder(settings), advance)
    vocabulary = vocabulary_of(history.products)
    matcher = Matcher(encoder, KeywordCatalogue(keywords.keywords, keywords.vectors))
    learning = training_set(history, matcher, vocabulary, settings, steps)
    models, metrics = _fit(learning, settings, steps)
    with steps.step("plots"):
        _plot(models, learning, settings, plots)
    manifest = bundle.Manifest(
        model_version="",
        created_at=clock.now_ms(),
        windows=list(settings.windows),
        features=list(feature_names(settings.windows)),
        feature_types=feature_types(settings.windows),
        vocabulary=vocabulary,
        smoothing={name: getattr(settings, name) for name in bundle.SMOOTHING},
        trained_until=learning.known_until,
        history_days=history.days,
        encoder=encoder.name,
        metrics=metrics,
        files={},
    )
    bought = attributed(history.clicks, history.purchases, settings.attribution_window_ms)
    pairs = pair_counts(history.clicks, bought)

    def fill(target: Path) -> None:
        models.save(target)
        shutil.copytree(encoder.folder, target / "encoder")
        keywords.save(target)
        pairs.write_parquet(target / "pairs.parquet")

    with steps.step("bundle"):
        return bundle.write(settings.bundle_path, manifest, fill)


def training_set(
    history: History, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
) -> TrainingSet:
    """The label rows of the history's training part, joined with what was readable, some of their pairs hidden.

    Raises:
        NoFeatureLog: no features were archived.
        CannotLearn: no row is old enough.
    """
    first, last = history.span
    known_until = int(last - HOLDOUT * (last - first))
    with steps.step("impressions and what came of them"):
        rows = label_rows(history, int(first + _WARM_UP * (last - first)), known_until, settings)
    if rows.is_empty():
        raise CannotLearn(
            f"{history.folder}: its {history.days:.1f} days leave no impression that is older than attribution window "
            "and late horizon at the end of the training part: more days of history are needed"
        )
    with steps.step("features as they were readable") as advance:
        sums = hide_pairs(join_vectors(rows, settings, lambda kind, done, total: advance(done, total)))
    with steps.step("similarities"):
        facts = facts_of(rows, history, matcher, vocabulary, live_items(history.products))
    return TrainingSet(rows, matrix(sums, facts, settings), known_until)


def live_items(products: Sequence[ProductState]) -> dict[str, int]:
    """Products per category."""
    return Counter(product.category for product in products)


def _fit(learning: TrainingSet, settings: Settings, steps: Steps) -> tuple[Boosted, dict[str, float]]:
    boosters: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    for target in _OUTCOME:
        training, validation = learning.split(target)
        with steps.step(f"P({'click' if target == 'click' else 'purchase | click'})") as advance:
            boosters[target], curve = fit(
                target,
                training,
                validation,
                feature_names(settings.windows),
                feature_types(settings.windows),
                advance,
            )
        base = float(np.average(training.labels, weights=training.weights))
        metrics |= {
            f"{target}_rows": float(len(training)),
            f"{target}_positives": float(training.labels.sum()),
            f"{target}_rate": base,
            f"{target}_rounds": float(curve.best_round + 1),
            f"{target}_training_log_loss": curve.training[curve.best_round],
            f"{target}_validation_log_loss": curve.validation[curve.best_round],
            f"{target}_validation_log_loss_of_rate": log_loss_of_rate(base, validation),
        }
    return Boosted(boosters), metrics


def log_loss_of_rate(rate: float, examples: Examples) -> float:
    """Log loss of predicting `rate` for every row: what a model must beat."""
    losses = np.where(examples.labels, -np.log(rate), -np.log1p(-rate))
    return float(np.average(losses, weights=examples.weights))


def _plot(models: Boosted, learning: TrainingSet, settings: Settings, folder: Path) -> None:
    for target in _OUTCOME:
        _, validation = learning.split(target)
        chosen = np.random.default_rng(7).permutation(len(validation))[:_PLOTTED_ROWS]
        path = folder / f"shap_{target}.png"
        plot_summary(models, target, validation.matrix[chosen], feature_names(settings.windows), path)


def train_command(history: Path) -> None:
    """`keypulse train ranker`."""
    from infra.stack.state import settings

    manifest = train(history, settings(), SystemClock(), Steps(), Path("reports"))
    for name, value in manifest.metrics.items():
        print(f"{name:42} {value:12.5f}" if value % 1 else f"{name:42} {value:12.0f}")
    print(f"{settings().bundle_path}: {manifest.model_version}, plots in reports/")
