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
from streams.messages import ProductState
from streams.normal_form import EMPTY, normal_form

Attributes = Mapping[str, Sequence[str]]
"""Word in normal form -> names of the attributes that have a value with it."""


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
    missing = [word for word in canonical.split() if word not in said.words]
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
    said = [statement(product) for product in products]
    known: dict[tuple[int, int], tuple[int, int]] = {}
    found = np.zeros((len(product_of), 2))
    for row, pair in enumerate(zip(product_of.tolist(), keyword_of.tolist(), strict=True)):
        if pair not in known:
            known[pair] = lacks(said[pair[0]], canonicals[pair[1]], attributes)
        found[row] = known[pair]
    return found


def _stated(product: ProductState) -> dict[str, str]:
    brand = {"brand": product.brand} if product.brand else {}
    return brand | {"condition": product.condition} | product.specification


def _words(text: str) -> frozenset[str]:
    return frozenset(normal_form(text).split()) - {EMPTY}
