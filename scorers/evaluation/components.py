"""Vectors as a ranker's inputs: the first principal components of the product's and of the keyword's, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scorers.retrieval.matching import Matcher
from streams.contracts.messages import ProductState

COMPONENTS = 32
"""Of each vector."""


class Components:
    """Of the items and keywords that rows name; the axes are those of greatest spread among the first rows' ones."""

    def __init__(self, products: Sequence[ProductState], matcher: Matcher, rows: pl.DataFrame) -> None:
        """`rows`: item, canonical."""
        self._products = {product.item: product for product in products}
        self._matcher = matcher
        of_items, of_keywords = self._vectors(
            rows.get_column("item").unique().sort().to_list(), rows.get_column("canonical").unique().sort().to_list()
        )
        together = np.concatenate([of_items, of_keywords[~np.isnan(of_keywords).any(axis=1)]])
        self._middle = together.mean(axis=0)
        self._axes = np.linalg.svd(together - self._middle, full_matrices=False)[2][:COMPONENTS].T
        held = range(self._axes.shape[1])
        self.names = [*(f"product_component_{at}" for at in held), *(f"keyword_component_{at}" for at in held)]

    def of(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """n x names; NaN for a keyword that the matcher does not know."""
        items, item_of = np.unique(rows.get_column("item").to_numpy().astype(str), return_inverse=True)
        keywords, keyword_of = np.unique(rows.get_column("canonical").to_numpy().astype(str), return_inverse=True)
        of_items, of_keywords = (
            (vectors - self._middle) @ self._axes for vectors in self._vectors(items.tolist(), keywords.tolist())
        )
        return np.hstack([of_items[item_of], of_keywords[keyword_of]]).astype(np.float32)

    def _vectors(
        self, items: Sequence[str], canonicals: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        texts = self._matcher.read(self._products[item] for item in items)
        return np.stack([text.vector for text in texts]), self._matcher.keyword_vectors(canonicals)
