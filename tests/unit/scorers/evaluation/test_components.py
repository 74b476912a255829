"""Vectors as inputs."""

from __future__ import annotations

import numpy as np
import polars as pl

from scorers.evaluation.components import Components
from scorers.keywords.table import Keyword
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.matching import Matcher
from streams.contracts.messages import ProductState
from tests.unit.scorers.letters import LetterEncoder

PRODUCTS = [
    ProductState(schema_version=1, item=item, seller="s", title=title, category="c", updated_at=1_700_000_000_000)
    for item, title in (("i1", "rain boots"), ("i2", "desk lamp"))
]
ROWS = pl.DataFrame({"item": ["i1", "i2", "i1"], "canonical": ["boots", "lamp", "of no use"]})


def test_distances_of_vectors_are_kept() -> None:
    encoder = LetterEncoder()
    keywords = [Keyword(canonical=text, text=text) for text in ("boots", "lamp", "desk")]
    vectors = encoder.encode([keyword.text for keyword in keywords])
    components = Components(PRODUCTS, Matcher(encoder, KeywordCatalogue(keywords, vectors)), ROWS)
    found = components.of(ROWS)
    half = len(components.names) // 2
    assert found.shape == (3, 2 * half)
    product, keyword = found[:, :half], found[:, half:]
    np.testing.assert_array_equal(product[0], product[2])
    assert np.isnan(keyword[2]).all()
    between = np.linalg.norm(encoder.encode_products(PRODUCTS) - vectors[:2], axis=1)
    np.testing.assert_allclose(np.linalg.norm(product - keyword, axis=1)[:2], between, rtol=0.01)
