"""What the scoring worker asks: rows in, probabilities and their explanation out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infra.settings import Settings
from scorers.ranking.bundle import Bundle
from scorers.ranking.explanation import top_contributions
from scorers.ranking.features import PairInputs, in_longest_window, matrix, serving_rows
from scorers.ranking.impression_share import bid_strength, terms
from scorers.ranking.model import Floats
from scorers.ranking.wording import Wordings
from streams.contracts.messages import Contribution


class BundleRanker:
    """The ranker of a bundle."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._manifest = bundle.manifest
        self._models = bundle.serving
        self._settings = settings
        self._vacancies = bundle.vacancies()
        self._contradicted = bundle.manifest.features.index("contradicted_words")
        self._words = bundle.manifest.features.index("keyword_words")
        self._wordings = Wordings(bundle.manifest.vocabulary.attributes)
        self.version = bundle.manifest.model_version

    def matrix(self, inputs: PairInputs) -> NDArray[np.float32]:
        """n x features."""
        rows = serving_rows(inputs, self._manifest.vocabulary, self._wordings)
        return matrix(*rows, self._settings, self._manifest.windows)

    def shown(self, inputs: PairInputs, matrix: NDArray[np.floating]) -> Floats:
        """P(shown) of each row, n."""
        offers = np.array([bid_strength(campaign, self._settings) for campaign in inputs.campaigns])
        rivals = np.array([keyword.rivals for keyword in inputs.keywords], np.float64)
        vacancy = self._vacancies.of(keyword.canonical for keyword in inputs.keywords)
        found = terms(
            offers[inputs.campaign_of],
            inputs.dense,
            matrix[:, self._contradicted].astype(np.float64),
            matrix[:, self._words].astype(np.float64),
            in_longest_window(inputs.pair_sums, "impressions"),
            vacancy[inputs.keyword_of],
            rivals[inputs.keyword_of],
            self._settings,
        )
        return self._manifest.impression_share.probability(found)

    def predict(self, matrix: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """P(click) and P(purchase | click), n each."""
        return self._models.predict(matrix)

    def explain(self, matrix: NDArray[np.floating]) -> list[list[Contribution]]:
        """For each row the features that contribute most to its P(click), the greatest first."""
        return top_contributions(self._models, matrix, self._manifest.features)
