"""From history to a bundle: label rows, join features, fit both models, calibrate, write all that a worker needs.

The last part of the history (`scorers.training.split`) is kept from training altogether, so that campaigns created in
it can judge the very models that are shipped. Only how high click rates are by now is read off its last day, for
serving alone.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from infra.clock import Clock
from infra.settings import DAY_MS, Settings
from infra.steps import Steps
from scorers.history import History, attributed, pair_counts
from scorers.keywords.embedded import EmbeddedKeywords, embedded_keywords, keyword_folder
from scorers.ranking import bundle
from scorers.ranking.explanation import plot_summary
from scorers.ranking.features import (
    Sums,
    Vocabulary,
    feature_names,
    feature_types,
    matrix,
    ranker_windows,
    vocabulary_of,
)
from scorers.ranking.impression_share import ImpressionShare
from scorers.ranking.model import TARGETS, Calibration, PairModel, Probabilities
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder, OnnxEncoder, catalogue_encoder
from scorers.retrieval.export import ensure_export
from scorers.retrieval.matching import Matcher
from scorers.training.dataset import (
    HIDDEN_SHARE,
    MOST_NEWEST,
    as_clicked,
    examples,
    facts_of,
    hide_pairs,
    join_vectors,
    label_rows,
    outcome_known,
    some_hidden,
)
from scorers.training.examination import Examination, examination
from scorers.training.examples import CannotLearn, Examples, Features, both_classes
from scorers.training.impression_share import impression_share, vacancies
from scorers.training.learners.learner import Learner, Parameters, learner
from scorers.training.learners.logistic import logistic
from scorers.training.measures import Curve, log_loss, majority, measure
from scorers.training.plots import GIVEN, plot_calibration, plot_curves
from scorers.training.split import held_out_from, taught_from
from scorers.training.tuning import tune
from scorers.training.watching import watched
from streams.canonical import CanonicalForms
from streams.contracts.messages import ProductState

_VALIDATION = 0.2
"""Share of a target's rows, the latest, that decide when to stop, and calibrate."""
_CALIBRATING = 500
"""Positives at which half of what calibration found is believed: with so few the rate itself is off by 4 %."""
_MOVING = 100
"""Positives at which half of a move of the level is believed: from day to day click rates move by some per cent."""
_FARTHEST = 3.0
"""Most that a level may move, in log-odds: twentyfold."""
_PLOTTED_ROWS = 400


@dataclass(frozen=True)
class TrainingSet:
    """Label rows and their features."""

    rows: pl.DataFrame
    """As `label_rows` gives them."""
    features: NDArray[np.float32]
    known_until: int
    """ms; no event from then on was seen."""
    examination: Examination
    hidden: NDArray[np.bool_]
    """Rows whose pair's own counts are hidden."""

    def split(self, target: str) -> tuple[Examples, Examples]:
        """Earlier rows to learn `target` from and later ones to stop by."""
        late = self.late(target)
        return self._examples(target, ~late), self._examples(target, late)

    def calibrating(self, target: str) -> Examples:
        """Of the later rows those that look as rows do when serving: a pair without counts is then a new one, whose
        keyword fits less well on average than that of a pair whose counts are only hidden. All later rows where those
        are of one class."""
        late = self.late(target)
        served = self._examples(target, late & ~self.hidden)
        return served if both_classes(served) else self._examples(target, late)

    def newest(self, target: str) -> Examples:
        """Of the last day's rows those that look as rows do when serving."""
        times = self.rows.get_column("event_time").to_numpy()
        return self._examples(target, (times > times.max() - DAY_MS) & ~self.hidden)

    def late(self, target: str) -> NDArray[np.bool_]:
        """Which rows are the later ones of a target."""
        known = outcome_known(self.rows, target)
        times = self.rows.get_column("event_time").to_numpy()
        return np.asarray(times >= np.quantile(times[known], 1 - _VALIDATION)) if known.any() else known

    def _examples(self, target: str, chosen: NDArray[np.bool_]) -> Examples:
        return examples(self.features, self.rows, target, chosen, self.examination)


class Source(Protocol):
    """What a ranker is learnt from: an event log, or daily tables."""

    @property
    def days(self) -> float:
        """How long it is."""
        ...

    @property
    def products(self) -> Sequence[ProductState]:
        """The catalogue."""
        ...

    @property
    def canonical(self) -> CanonicalForms:
        """What keywords count under."""
        ...

    def keywords(self, encoder: Encoder, settings: Settings, progress: Callable[[int, int], None]) -> EmbeddedKeywords:
        """All keywords, embedded."""
        ...

    def training_set(self, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps) -> TrainingSet:
        """The rows of its training part.

        Raises:
            CannotLearn: none is old enough.
        """
        ...

    def newest_clicks(
        self, looked: Examination, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> Examples | None:
        """What was shown on the last day whose clicks are known, and clicked or not; None if nothing was."""
        ...

    def impression_share(
        self, learning: TrainingSet, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> ImpressionShare:
        """What P(shown) rests on in its training part."""
        ...

    def vacancies(self, settings: Settings) -> pl.DataFrame:
        """canonical, vacancy: how often sponsored places stay vacant (`scorers.ranking.impression_share.Vacancies`)."""
        ...

    def pairs(self, settings: Settings) -> pl.DataFrame:
        """Clicks and purchases of each item and canonical keyword: item, canonical, clicks, purchases."""
        ...


@dataclass(frozen=True)
class EventLog:
    """See `Source`: a history folder, whose features were archived."""

    history: History

    @property
    def days(self) -> float:
        """See `Source`."""
        return self.history.days

    @property
    def canonical(self) -> CanonicalForms:
        """See `Source`."""
        return self.history.canonical

    @property
    def products(self) -> Sequence[ProductState]:
        """As of the end of the history."""
        return self.history.products

    def keywords(self, encoder: Encoder, settings: Settings, progress: Callable[[int, int], None]) -> EmbeddedKeywords:
        """See `Source`; kept for the next command."""
        return embedded_keywords(
            self.history, encoder, keyword_folder(settings), progress, settings.min_distinct_shoppers
        )

    def training_set(self, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps) -> TrainingSet:
        """See `training_set`."""
        return training_set(self.history, matcher, vocabulary, settings, steps)

    def newest_clicks(
        self, looked: Examination, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> Examples | None:
        """See `Source`."""
        _, last = self.history.span
        with steps.step("clicks of the last day"):
            rows = label_rows(self.history, last - settings.late_horizon_ms - DAY_MS, last, settings, MOST_NEWEST)
            if rows.is_empty():
                return None
            _, features = sums_and_features(rows, self.history, matcher, vocabulary, settings)
            return examples(features, rows, "click", np.ones(len(rows), np.bool_), looked)

    def impression_share(
        self, learning: TrainingSet, matcher: Matcher, vocabulary: Vocabulary, settings: Settings, steps: Steps
    ) -> ImpressionShare:
        """See `Source`."""
        with steps.step("how often ads are shown"):
            until, looked = learning.known_until, learning.examination
            return impression_share(self.history, until, looked, matcher, vocabulary, settings)

    def vacancies(self, settings: Settings) -> pl.DataFrame:
        """See `Source`."""
        return vacancies(self.history, self.history.span[1] + 1, settings)

    def pairs(self, settings: Settings) -> pl.DataFrame:
        """See `Source`."""
        clicks = self.history.clicks
        return pair_counts(clicks, attributed(clicks, self.history.purchases, settings.attribution_window_ms))


@dataclass(frozen=True)
class Trained:
    """A ranker, and how its training went."""

    models: Probabilities
    curves: dict[str, Curve]
    """By target."""
    parameters: dict[str, Parameters]
    metrics: dict[str, float]


def train(
    source: Source,
    settings: Settings,
    clock: Clock,
    steps: Steps,
    plots: Path,
    kind: str = "boosted",
    trials: int = 0,
    out: Path | None = None,
    taught_by: Callable[[str, Features], Learner] = learner,
) -> tuple[bundle.Manifest, Trained]:
    """Train a ranker of that kind and write the bundle.

    With `trials`, so many hyperparameters are tried for each target first. The bundle is written to `out`, or to
    `settings.bundle_path`; the model alone also to `rankers_folder`, for `evaluate` to compare the kinds. Plots go
    into `plots`. `taught_by` gives the learner of a kind.

    Raises:
        BadHistory, BadTable: the source cannot be used.
        NoFeatureLog: no features were archived for an event log: `keypulse backfill` comes first.
        CannotLearn: too little history.
    """
    with steps.step("embedding model"):
        encoder = OnnxEncoder(ensure_export(settings))
    with steps.step("keywords embedded") as advance:
        keywords = source.keywords(catalogue_encoder(encoder), settings, advance)
    vocabulary = vocabulary_of(source.products)
    matcher = Matcher(encoder, KeywordCatalogue(keywords.keywords, keywords.vectors))
    learning = source.training_set(matcher, vocabulary, settings, steps)
    teacher = taught_by(kind, Features(feature_names(settings.windows), feature_types(settings.windows)))
    trained = fit(learning, teacher, tuned(learning, teacher, trials, steps), steps)
    share = source.impression_share(learning, matcher, vocabulary, settings, steps)
    newest = source.newest_clicks(learning.examination, matcher, vocabulary, settings, steps)
    with steps.step("plots"):
        _plot(trained, learning, settings, plots, kind)
    manifest = bundle.Manifest(
        model_version="",
        created_at=clock.now_ms(),
        windows=list(ranker_windows(settings.windows)),
        features=list(feature_names(settings.windows)),
        feature_types=feature_types(settings.windows),
        vocabulary=vocabulary,
        smoothing={name: getattr(settings, name) for name in bundle.SMOOTHING},
        model=kind,
        calibration=trained.models.calibration,
        newest_calibration={"click": moved(trained.models, "click", newest)} if newest else {},
        impression_share=share,
        auction={name: getattr(settings, name) for name in bundle.AUCTION},
        examination=learning.examination.decay,
        parameters={target: dict(values) for target, values in trained.parameters.items()},
        trained_until=learning.known_until,
        history_days=source.days,
        encoder=encoder.name,
        dictionary=source.canonical.version,
        metrics=trained.metrics,
        files={},
    )
    with steps.step("bundle"):
        bundle.write(rankers_folder(settings) / kind, manifest, trained.models.model.save)
        contents = _contents(trained.models.model, source, encoder, keywords, settings)
        return bundle.write(out or settings.bundle_path, manifest, contents), trained


def rankers_folder(settings: Settings) -> Path:
    """Where the latest model of each kind lies, without what else a worker needs."""
    return settings.home / "models" / "rankers"


def _contents(
    model: PairModel, source: Source, encoder: OnnxEncoder, keywords: EmbeddedKeywords, settings: Settings
) -> Callable[[Path], None]:
    def fill(target: Path) -> None:
        model.save(target)
        shutil.copytree(encoder.folder, target / "encoder")
        keywords.save(target)
        bundle.save_forms(target, source.canonical)
        bundle.save_vacancies(target, source.vacancies(settings))
        source.pairs(settings).write_parquet(target / "pairs.parquet")

    return fill


def training_set(
    history: History,
    matcher: Matcher,
    vocabulary: Vocabulary,
    settings: Settings,
    steps: Steps,
    hidden: float = HIDDEN_SHARE,
) -> TrainingSet:
    """The label rows of the history's training part, joined with what was readable, a share of their pairs hidden.

    Raises:
        NoFeatureLog: no features were archived.
        CannotLearn: no row is old enough.
    """
    first, last = history.span
    known_until = held_out_from(first, last, settings)
    with steps.step("impressions and what came of them"):
        rows = label_rows(history, taught_from(first, last, settings), known_until, settings)
    if not outcome_known(rows, "purchase").any():
        raise CannotLearn(
            f"{history.folder}: its {history.days:.1f} days leave no click that is older than attribution window "
            "and late horizon at the end of the training part: more days of history are needed"
        )
    with steps.step("how likely places are looked at"):
        looked = examination(as_clicked(history, known_until))
    with steps.step("features as they were readable") as advance:
        sums = join_vectors(rows, settings, lambda kind, done, total: advance(done, total))
    without_counts = some_hidden(len(rows), hidden)
    with steps.step("similarities"):
        facts = facts_of(rows, history, matcher, vocabulary, live_items(history.products))
    features = hide_pairs(matrix(sums, facts, settings), feature_names(settings.windows), without_counts)
    return TrainingSet(rows, features, known_until, looked, without_counts)


def sums_and_features(
    rows: pl.DataFrame, history: History, matcher: Matcher, vocabulary: Vocabulary, settings: Settings
) -> tuple[Sums, NDArray[np.float32]]:
    """Of rows as `label_rows` gives them: the vectors that were readable then, and the n x features, nothing hidden."""
    sums = join_vectors(rows, settings)
    facts = facts_of(rows, history, matcher, vocabulary, live_items(history.products))
    return sums, matrix(sums, facts, settings)


def live_items(products: Sequence[ProductState]) -> dict[str, int]:
    """Products per category."""
    return Counter(product.category for product in products)


def tuned(learning: TrainingSet, teacher: Learner, trials: int, steps: Steps) -> dict[str, Parameters]:
    """Hyperparameters of each target: the best of `trials`, the defaults without any."""
    parameters: dict[str, Parameters] = {}
    for target in TARGETS:
        parameters[target] = teacher.defaults
        if trials:
            with steps.step(f"{GIVEN[target]}: {trials} trials") as advance:
                parameters[target] = tune(teacher, target, *learning.split(target), trials, advance).parameters
    return parameters


def fit(learning: TrainingSet, teacher: Learner, parameters: Mapping[str, Parameters], steps: Steps) -> Trained:
    """Learn both targets, each with its hyperparameters, and calibrate them.

    Raises:
        CannotLearn: a target's rows are of one class only.
    """
    parts: dict[str, Any] = {}
    curves: dict[str, Curve] = {}
    taught: dict[str, Examples] = {}
    for target in TARGETS:
        taught[target], validation = learning.split(target)
        with steps.timed(GIVEN[target]) as console, watched(GIVEN[target], console) as watch:
            parts[target], curves[target] = teacher.fit(target, taught[target], validation, parameters[target], watch)
    model = teacher.model(parts)
    calibration = calibrations(model, learning)
    metrics = {"examination_decay": learning.examination.decay}
    for target in TARGETS:
        served = learning.calibrating(target)
        metrics |= _metrics(target, model, calibration[target], curves[target], taught[target], served)
    return Trained(Probabilities(model, calibration), curves, dict(parameters), metrics)


def calibrations(model: PairModel, learning: TrainingSet) -> dict[str, Calibration]:
    """Of each target by `TrainingSet.calibrating` rows; P(click) then at the level of the last day, since how readily
    shoppers click moves from day to day. A day holds too few purchases for that."""
    found = {target: calibrate(model, target, learning.calibrating(target)) for target in TARGETS}
    return found | {"click": moved(Probabilities(model, found), "click", learning.newest("click"))}


def calibrate(model: PairModel, target: str, rows: Examples) -> Calibration:
    """Slope and intercept of the log-odds that fit the rows best, drawn towards 1 and 0 if they are few."""
    odds = model.log_odds(rows.matrix, target)
    fitted = logistic(odds[:, np.newaxis], rows.labels, rows.weights, rows.examined, penalty=0.0)
    trust = _trust(rows, _CALIBRATING)
    return Calibration(1 + trust * (float(fitted.coefficients[0]) - 1), trust * fitted.intercept)


def moved(models: Probabilities, target: str, rows: Examples) -> Calibration:
    """Their calibration at the level of the rows; drawn towards no move if positives are few, none for one class."""
    calibration = models.calibration[target]
    if not both_classes(rows):
        return calibration
    odds = calibration.log_odds(models.model.log_odds(rows.matrix, target))

    def loss(move: float) -> float:
        return log_loss(rows, rows.probability(odds + move))

    move = float(minimize_scalar(loss, bounds=(-_FARTHEST, _FARTHEST), method="bounded").x)
    return Calibration(calibration.slope, calibration.intercept + _trust(rows, _MOVING) * move)


def _trust(rows: Examples, half: int) -> float:
    """How far to believe what the rows say: half of it when so many of them are positives."""
    positives = float(rows.weights[rows.labels].sum())
    return positives / (positives + half)


def _metrics(
    target: str, model: PairModel, calibration: Calibration, curve: Curve, training: Examples, validation: Examples
) -> dict[str, float]:
    found = {
        f"{target}_rows": float(len(training)),
        f"{target}_positives": float(training.labels.sum()),
        f"{target}_rate": training.rate,
        f"{target}_rounds": float(curve.best.number),
        f"{target}_validation_log_loss_of_rate": log_loss(validation, training.rate * np.ones(len(validation))),
        f"{target}_validation_accuracy_of_majority": majority(validation),
        f"{target}_calibration_slope": calibration.slope,
        f"{target}_calibration_intercept": calibration.intercept,
    }
    for name, judged in (("training", training), ("validation", validation)):
        fitted = measure(judged, calibration.log_odds(model.log_odds(judged.matrix, target)))
        found |= {f"{target}_{name}_{measured}": value for measured, value in asdict(fitted).items()}
    return found


def _plot(trained: Trained, learning: TrainingSet, settings: Settings, folder: Path, kind: str) -> None:
    held = {target: learning.split(target)[1] for target in TARGETS}
    served = {target: learning.calibrating(target) for target in TARGETS}
    lines = {
        target: {
            "log_loss": log_loss(rows, trained.metrics[f"{target}_rate"] * np.ones(len(rows))),
            "accuracy": majority(rows),
        }
        for target, rows in held.items()
    }
    plot_curves(trained.curves, lines, f"{kind}: every measure after each round", folder / f"curves_{kind}.png")
    predicted = {
        target: (rows, rows.examined * trained.models.predict(rows.matrix)[at])
        for at, (target, rows) in enumerate(served.items())
    }
    plot_calibration(predicted, f"{kind}: validation rows, at the logged position", folder / f"calibration_{kind}.png")
    if kind != "boosted":
        return
    for target, rows in held.items():
        names = feature_names(settings.windows)
        plot_summary(trained.models, target, rows.some(_PLOTTED_ROWS).matrix, names, folder / f"shap_{target}.png")
