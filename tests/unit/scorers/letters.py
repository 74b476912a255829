"""A small deterministic encoder for tests of what is built on an encoder: hashed letter trigrams, no model."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from scorers.retrieval.encoders import Progress
from scorers.retrieval.text import product_text
from streams.contracts.messages import ProductState


class LetterEncoder:
    """Texts that share trigrams are near."""

    name = "letters"
    dimension = 64

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f" {text.lower()} "
            for at in range(len(padded) - 2):
                code = crc32(padded[at : at + 3].encode())
                vectors[row, code % self.dimension] += 1 if code & 1024 else -1
        if progress:
            progress(len(texts))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_products(
        self, products: Sequence[ProductState], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        return self.encode([product_text(product) for product in products], progress)

    def similarity(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        return cosines
