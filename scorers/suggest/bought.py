"""Keywords after which this product, or one much like it, was clicked and bought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery

_NEIGHBOURS = 50
_SHARPNESS = 6
"""A neighbour's evidence counts with cosine to this power: the product itself 1, one at .8 a quarter, at .6 .05.

Chosen, with the number of neighbours, among 2 and 6, and 10, 50 and 200: docs/data.md."""


class Bought:
    """Evidence of the products nearest in meaning, the product itself among them."""

    def __init__(
        self, catalogue: KeywordCatalogue, pairs: pl.DataFrame, products: Sequence[str], vectors: NDArray[np.float32]
    ) -> None:
        """`pairs`: product_id, canonical, strength; several rows of a pair add up.

        `products` with their `vectors`, n x dimension of length 1, are all whose text is known. Pairs of other
        products, and of keywords that the catalogue lacks, say nothing.
        """
        self._canonicals = [keyword.canonical for keyword in catalogue.keywords]
        self._row = {canonical: row for row, canonical in enumerate(self._canonicals)}
        keyword_row = pl.DataFrame({"canonical": self._canonicals}).with_row_index("keyword")
        product_row = pl.DataFrame({"product_id": products}).with_row_index("product")
        known = (
            pairs.join(keyword_row, on="canonical")
            .join(product_row, on="product_id")
            .group_by("product", "keyword")
            .agg(pl.col("strength").sum())
            .sort("product", "keyword")
        )
        self._keyword = known.get_column("keyword").to_numpy().astype(np.int64)
        self._strength = known.get_column("strength").to_numpy()
        with_evidence, self._first = np.unique(known.get_column("product").to_numpy(), return_index=True)
        self._first = np.append(self._first, len(known))
        self._vectors = vectors[with_evidence]

    def strengths(self, queries: Sequence[ItemQuery]) -> NDArray[np.float64]:
        """Evidence for every keyword of the catalogue: queries x keywords."""
        found = np.zeros((len(queries), len(self._canonicals)))
        if not len(self._vectors) or not queries:
            return found
        near = np.stack([query.text.vector for query in queries]) @ self._vectors.T
        count = min(_NEIGHBOURS, near.shape[1])
        for row, nearest in enumerate(np.argpartition(-near, count - 1, axis=1)[:, :count]):
            weights = np.clip(near[row, nearest], 0, None) ** _SHARPNESS
            for neighbour, weight in zip(nearest, weights, strict=True):
                told = slice(self._first[neighbour], self._first[neighbour + 1])
                found[row, self._keyword[told]] += weight * self._strength[told]
        return found

    def best(self, strengths: NDArray[np.float64], limit: int) -> list[Hit]:
        """The keywords with most evidence, best first; `strengths`: one for each keyword."""
        rows = np.argsort(-strengths, kind="stable")[:limit]
        return [(self._canonicals[row], float(strengths[row])) for row in rows if strengths[row] > 0]

    def of(self, strengths: NDArray[np.float64], canonicals: Sequence[str]) -> NDArray[np.float64]:
        """The strengths of some keywords, in their order."""
        return strengths[[self._row[canonical] for canonical in canonicals]]
