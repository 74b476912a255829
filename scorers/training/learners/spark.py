"""The boosted ranker learnt by the workers of a Spark cluster (`xgboost.spark`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xgboost
from pyspark import cloudpickle
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql
from xgboost.spark import SparkXGBRegressor

from scorers.training.examples import Examples, Features, check
from scorers.training.exchange import write_examples
from scorers.training.learners import objective
from scorers.training.learners.boosted import FIXED, MOST_ROUNDS, BoostedLearner, dmatrix, early_stopping
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.measures import WATCHED, Curve, Round, measure

cloudpickle.register_pickle_by_value(objective)  # executors need xgboost, not this package


class SparkLearner(BoostedLearner):
    """See `Learner`. Rounds are told after the training: executors do not speak meanwhile."""

    def __init__(self, features: Features, session: SparkSession, folder: Path) -> None:
        """`folder`: examples are exchanged there; the executors must see it."""
        super().__init__(features)
        self._session = session
        self._folder = folder

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[xgboost.Booster, Curve]:
        """See `Learner`.

        Raises:
            SparkFailed: the cluster did not finish it.
        """
        check(target, training, validation)
        path = self._folder / f"{target}.parquet"
        write_examples(path, training, validation, self.features)
        begin = objective.start(training.labels, training.weights, training.examined)
        regressor = SparkXGBRegressor(
            features_col="features",
            label_col="outcome",
            weight_col="weight",
            validation_indicator_col="validation",
            feature_names=list(self.features.names),
            feature_types=list(self.features.types),
            num_workers=self._session.sparkContext.defaultParallelism,
            force_repartition=True,
            n_estimators=MOST_ROUNDS,
            callbacks=[early_stopping()],
            obj=objective.shared_gradients,
            custom_metric=objective.shared_loss,
            verbose=False,
            **FIXED,
            **parameters,
            base_score=begin,
        )
        examples = self._session.read.parquet(str(path.absolute()))
        outcome = sql.when(sql.col("label"), sql.col("examined")).otherwise(-sql.col("examined"))
        # As one column: with many, xgboost 3.2 fails on a batch of rows without a validation row.
        features = sql.array(*self.features.names)
        booster = regressor.fit(examples.withColumns({"outcome": outcome, "features": features})).get_booster()
        watched = training.some(WATCHED)
        return booster, _told(booster, target, begin, self.features, (watched, validation), watch)


def _told(
    booster: xgboost.Booster,
    target: str,
    begin: float,
    features: Features,
    judged: Sequence[Examples],
    watch: Watch,
) -> Curve:
    """The curve of a booster that was trained elsewhere."""
    curve = Curve()
    rows = [dmatrix(examples, features) for examples in judged]
    margins = [np.full(len(examples), begin) for examples in judged]
    for at in range(booster.num_boosted_rounds()):
        for odds, matrix in zip(margins, rows, strict=True):
            odds += booster.predict(matrix, output_margin=True, iteration_range=(at, at + 1)) - begin
        seen, unseen = (measure(examples, odds, WATCHED) for examples, odds in zip(judged, margins, strict=True))
        curve.rounds.append(Round(target, at + 1, MOST_ROUNDS, seen, unseen))
        watch(curve.rounds[-1])
    return curve
