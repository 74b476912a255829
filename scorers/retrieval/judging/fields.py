"""Which fields of a product should enter its text: each way tried with the untuned model.

On real text a field is judged only by keywords that were made without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.judging.market import JudgedItems
from scorers.retrieval.judging.measures import Estimate, estimate
from scorers.retrieval.judging.real_retrieval import Ranked
from scorers.retrieval.judging.real_text import KINDS, RealText
from scorers.retrieval.neighbours import ExactNeighbours, Hit
from scorers.retrieval.text import plain, product_text, said_once
from streams.contracts.messages import ProductState


@dataclass(frozen=True)
class Way:
    """One way to make a product's text, and the kinds of real keywords that it gives away."""

    text: Callable[[ProductState], str]
    gives_away: tuple[str, ...] = ()


def _leaf(product: ProductState) -> str:
    return product.category_path[-1] if product.category_path else product.category


def _short(product: ProductState) -> list[str]:
    return [value for value in product.specification.values() if len(value.split()) <= 4]


_OF_CATEGORY = ("category", "brand and category")
WAYS: Mapping[str, Way] = {
    "title": Way(lambda one: plain(one.title)),
    "title, brand": Way(lambda one: said_once(one.title, one.brand or ""), ("brand and category",)),
    "title, leaf category": Way(lambda one: said_once(one.title, _leaf(one)), _OF_CATEGORY),
    "title, category path": Way(lambda one: said_once(one.title, *one.category_path[::-1]), _OF_CATEGORY),
    "title, specification": Way(lambda one: said_once(one.title, *one.specification.values()), ("specification",)),
    "title, short values of the specification": Way(lambda one: said_once(one.title, *_short(one)), ("specification",)),
    "title, names and values of the specification": Way(
        lambda one: said_once(one.title, *(f"{name} {value}" for name, value in one.specification.items())),
        ("specification",),
    ),
    "title, condition": Way(lambda one: said_once(one.title, "" if one.condition == "new" else one.condition)),
    "title, brand, leaf category": Way(product_text, _OF_CATEGORY),
    "title, brand, leaf category, short values of the specification": Way(
        lambda one: said_once(one.title, one.brand or "", _leaf(one), *_short(one)), KINDS
    ),
}


def tried_on_market(
    items: JudgedItems, catalogue: KeywordCatalogue, encoder: Encoder
) -> dict[str, dict[str, Estimate]]:
    """Recall of the truly best keywords by dense retrieval, for each way."""
    index = ExactNeighbours(catalogue, "fields")
    products = [request.product for request in items.requests]

    def lists(way: Way) -> list[list[Hit]]:
        return index.neighbours(encoder.encode([way.text(product) for product in products]), 200)

    return {name: items.estimates(lists(way)) for name, way in WAYS.items()}


def tried_on_real_text(real: RealText, encoder: Encoder) -> dict[str, dict[str, Estimate]]:
    """MRR by kind of keyword, for each way, where the kind is not given away."""
    forms = np.array(list(real.texts))
    keywords = encoder.encode(list(real.texts.values()))

    def judged(way: Way, kinds: Iterable[str]) -> dict[str, Estimate]:
        products = encoder.encode([way.text(product) for product in real.whole])
        order = np.argsort(-(products @ keywords.T), axis=1, kind="stable")
        ranked = Ranked(real, [forms[row].tolist() for row in order])
        return {kind: estimate(ranked.reciprocal_ranks([kind]), ranked.makers([kind])) for kind in kinds}

    kinds_of = {name: [kind for kind in KINDS if kind not in way.gives_away] for name, way in WAYS.items()}
    return {name: judged(WAYS[name], kinds) for name, kinds in kinds_of.items() if kinds}
