"""What of a keyword's words a product has, lacks, or contradicts by stating something else.

A product that is silent about "waterproof" may be it; one whose size is M is not "size xl". Which words state which
attribute (brand, condition, the keys of specifications) is learnt from the catalogue and goes into the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scorers.retrieval.text import matching_text
from streams.canonical import form_words
from streams.contracts.messages import ProductState
from streams.normal_form import EMPTY, normal_form

Attributes = Mapping[str, Sequence[str]]
"""Word in normal form -> names of the attributes that have a value with it."""


_MOST_PRODUCTS = 50_000
"""Whose wordings are remembered; past that they are worked out anew."""


@dataclass(frozen=True)
class Statement:
    """What a product says."""

    words: frozenset[str]
    """Of its text and all its attributes."""
    attributes: frozenset[str]
    """Those of which it states a value."""


def attributes_of(products: Sequence[ProductState]) -> dict[str, list[str]]:
    """The attributes of a catalogue, by the words of their values."""
    found: dict[str, set[str]] = {}
    for product in products:
        for name, value in _stated(product).items():
            for word in _words(value):
                found.setdefault(word, set()).add(name)
    return {word: sorted(names) for word, names in sorted(found.items())}


def statement(product: ProductState) -> Statement:
    """What the product says."""
    stated = _stated(product)
    words = _words(matching_text(product)).union(*(_words(value) for value in stated.values()))
    return Statement(words, frozenset(stated))


def lacks(said: Statement, canonical: str, attributes: Attributes) -> tuple[int, int]:
    """Of the keyword's words, how many the product does not say, and how many of those it contradicts."""
    missing = [word for word in form_words(canonical) if word not in said.words]
    contradicted = sum(any(name in said.attributes for name in attributes.get(word, ())) for word in missing)
    return len(missing), contradicted


def lacking(
    products: Sequence[ProductState],
    canonicals: Sequence[str],
    product_of: NDArray[np.int64],
    keyword_of: NDArray[np.int64],
    attributes: Attributes,
) -> NDArray[np.float64]:
    """`lacks` of n rows: n x 2."""
    return Wordings(attributes).lacking(products, canonicals, product_of, keyword_of)


class Wordings:
    """`lacks` of products and keywords, remembered: a scoring worker asks for the same ones again and again."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._of_product: dict[str, _Wording] = {}

    def lacking(
        self,
        products: Sequence[ProductState],
        canonicals: Sequence[str],
        product_of: NDArray[np.int64],
        keyword_of: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """`lacks` of n rows: n x 2."""
        wordings = [self._wording(product) for product in products]
        found: list[tuple[int, int]] = []
        for number, keyword in zip(product_of.tolist(), keyword_of.tolist(), strict=True):
            wording, canonical = wordings[number], canonicals[keyword]
            lacked = wording.known.get(canonical)
            if lacked is None:
                lacked = wording.known[canonical] = lacks(wording.said, canonical, self._attributes)
            found.append(lacked)
        return np.array(found, np.float64).reshape(len(found), 2)

    def _wording(self, product: ProductState) -> _Wording:
        known = self._of_product.get(product.item)
        if known is None or known.product != product:
            if len(self._of_product) >= _MOST_PRODUCTS:
                self._of_product.clear()
            known = self._of_product[product.item] = _Wording(product, statement(product), {})
        return known


@dataclass(frozen=True)
class _Wording:
    product: ProductState
    said: Statement
    known: dict[str, tuple[int, int]]


def _stated(product: ProductState) -> dict[str, str]:
    brand = {"brand": product.brand} if product.brand else {}
    return brand | {"condition": product.condition} | product.specification


def _words(text: str) -> frozenset[str]:
    return frozenset(normal_form(text).split()) - {EMPTY}
