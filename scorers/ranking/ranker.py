"""What the scoring worker asks: rows in, probabilities and their explanation out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from infra.settings import Settings
from scorers.ranking.bundle import Bundle
from scorers.ranking.explanation import top_contributions
from scorers.ranking.features import PairInputs, matrix, serving_rows
from scorers.ranking.model import Floats
from scorers.ranking.wording import Wordings
from streams.contracts.messages import Contribution


class BundleRanker:
    """The ranker of a bundle."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._manifest = bundle.manifest
        self._models = bundle.serving
        self._settings = settings
        self._wordings = Wordings(bundle.manifest.vocabulary.attributes)
        self.version = bundle.manifest.model_version

    def matrix(self, inputs: PairInputs) -> NDArray[np.float32]:
        """n x features."""
        rows = serving_rows(inputs, self._manifest.vocabulary, self._wordings)
        return matrix(*rows, self._settings, self._manifest.windows)

    def predict(self, matrix: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """P(click) and P(purchase | click), n each."""
        return self._models.predict(matrix)

    def explain(self, matrix: NDArray[np.floating]) -> list[list[Contribution]]:
        """For each row the features that contribute most to its P(click), the greatest first."""
        return top_contributions(self._models, matrix, self._manifest.features)
