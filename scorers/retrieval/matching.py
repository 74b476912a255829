"""How similar products and keywords are: one computation, for candidates, training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.lexical import text_terms
from scorers.retrieval.metadata import metadata_tokens
from scorers.retrieval.text import matching_text
from streams.contracts.messages import ProductState

Match = tuple[float, float]
"""Similarity of product and keyword (their cosine, on the known model's scale); share of the keyword's words, weighted
by rarity, that the product's text holds."""


@dataclass(frozen=True, eq=False)
class ItemText:
    """What a product's text and metadata come to. Products of which the same is said share it."""

    key: str
    """Names all that vector and terms depend on."""
    vector: NDArray[np.float32]
    """Length 1."""
    terms: frozenset[str]
    matches: dict[str, Match] = field(default_factory=dict, repr=False)
    """By canonical keyword, as far as computed."""


class Matcher:
    """Embeds each product once and matches each (text, keyword) once. Not thread-safe."""

    def __init__(self, encoder: Encoder, catalogue: KeywordCatalogue) -> None:
        self._encoder = encoder
        self._catalogue = catalogue
        self._texts: dict[str, ItemText] = {}

    def read(self, products: Iterable[ProductState]) -> list[ItemText]:
        """The products, embedded, in their order."""
        keys, asked = [], {}
        for product in products:
            keys.append(_key(product))
            asked[keys[-1]] = product
        fresh = {key: product for key, product in asked.items() if key not in self._texts}
        vectors = self._encoder.encode_products(list(fresh.values()))
        for (key, product), vector in zip(fresh.items(), vectors, strict=True):
            self._texts[key] = ItemText(key, vector, text_terms(matching_text(product)))
        return [self._texts[key] for key in keys]

    def keyword_vectors(self, canonicals: Sequence[str]) -> NDArray[np.float32]:
        """n x dimension; NaN for a keyword that the catalogue lacks."""
        known = [one in self._catalogue for one in canonicals]
        found = np.full((len(canonicals), self._catalogue.vectors.shape[1]), np.nan, np.float32)
        found[known] = self._catalogue.fetch(canonicals)[1]
        return found

    def matches(self, item: ItemText, canonicals: Sequence[str]) -> list[Match]:
        """The item and each keyword; NaN for a keyword that the catalogue lacks."""
        known = item.matches
        fresh = [one for one in dict.fromkeys(canonicals) if one not in known and one in self._catalogue]
        dense = self._encoder.similarity(self._catalogue.similarity(item.vector, fresh)).tolist()
        lexical = self._catalogue.lexical.coverage(item.terms, fresh).tolist()
        known.update(zip(fresh, zip(dense, lexical, strict=True), strict=True))
        return [known.get(one, (np.nan, np.nan)) for one in canonicals]


def _key(product: ProductState) -> str:
    return "\n".join((matching_text(product), *metadata_tokens(product)))
