"""Products: what they truly are (facets), and how much of it their titles and specifications say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from infra.settings import DAY_MS
from streams.contracts.events import SCHEMA_VERSION
from streams.contracts.messages import ProductState
from streams.simulator.shelves import SHELVES, Shelf

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BRAND, CONDITION = 0, 1
"""The attributes that every shelf has, by their place in `Vocabulary.attributes`."""
CONDITIONS = ("new", "used", "refurbished")
_CONDITION_SHARES = (0.86, 0.07, 0.07)
_CONDITION_PRICE = (1.0, 0.55, 0.72)


class Vocabulary:
    """Numbers for the shelves' nouns, attributes and facets (an attribute's value, shared by all shelves)."""

    def __init__(self, shelves: tuple[Shelf, ...]) -> None:
        self.shelves = shelves
        self.nouns: list[str] = []
        self.attributes: list[str] = ["brand", "condition"]
        self.facets: list[str] = []
        self._number: dict[tuple[str, str], int] = {}
        noun_shelf, facet_attribute = [], []
        for place, shelf in enumerate(shelves):
            self.nouns += shelf.nouns
            noun_shelf += [place] * len(shelf.nouns)
            for attribute, values in self.described(shelf).items():
                if attribute not in self.attributes:
                    self.attributes.append(attribute)
                for value in values:
                    if (attribute, value) not in self._number:
                        self._number[attribute, value] = len(self.facets)
                        self.facets.append(value)
                        facet_attribute.append(self.attributes.index(attribute))
        self.noun_shelf: Ints = np.array(noun_shelf, dtype=np.int64)
        self.facet_attribute: Ints = np.array(facet_attribute, dtype=np.int64)

    @staticmethod
    def described(shelf: Shelf) -> dict[str, tuple[str, ...]]:
        """A shelf's attributes with their values, brand and condition among them."""
        return {"brand": shelf.brands, "condition": CONDITIONS, **shelf.facets}

    def facet(self, attribute: str, value: str) -> int:
        """Number of a facet; KeyError if no shelf has it."""
        return self._number[attribute, value]


@dataclass(frozen=True)
class Catalogue:
    """N products. `values[n, a]` is the facet of product n in attribute a, -1 where it has none."""

    vocabulary: Vocabulary
    products: list[ProductState]
    shelf: Ints
    noun: Ints
    """The noun in the title, by its number in the vocabulary; -1 for none."""
    values: Ints
    price: Floats
    """In minor units; imputed where the product states none."""

    def __len__(self) -> int:
        return len(self.products)

    @property
    def shelves(self) -> tuple[Shelf, ...]:
        return self.vocabulary.shelves

    @cached_property
    def relative_price(self) -> Floats:
        """Log of a product's price over the median of its shelf."""
        median = np.array([np.median(self.price[self.shelf == place]) for place in range(len(self.shelves))])
        return np.asarray(np.log(self.price / median[self.shelf]))


def make_catalogue(rng: np.random.Generator, count: int, start_ms: int, until_ms: int) -> Catalogue:
    """`count` products on the built-in shelves; most are listed before `start_ms`, some until `until_ms`."""
    vocabulary = Vocabulary(SHELVES)
    shelf = np.sort(rng.integers(0, len(SHELVES), count))
    noun = np.empty(count, dtype=np.int64)
    values = np.full((count, len(vocabulary.attributes)), -1, dtype=np.int64)
    price = np.empty(count)
    tier = rng.normal(0.0, 0.35, len(vocabulary.facets))
    listed = listing_times(rng, count, start_ms, until_ms)
    sellers = assign_sellers(rng, shelf)
    products = []
    for item in range(count):
        place = SHELVES[shelf[item]]
        noun[item] = vocabulary.nouns.index(place.nouns[_zipf(rng, len(place.nouns))])
        chosen: dict[str, str] = {}
        for attribute, options in vocabulary.described(place).items():
            if attribute == "condition":
                chosen[attribute] = CONDITIONS[rng.choice(3, p=_CONDITION_SHARES)]
            elif attribute == "brand" or rng.random() < 0.85:
                chosen[attribute] = options[_zipf(rng, len(options))]
        for attribute, value in chosen.items():
            values[item, vocabulary.attributes.index(attribute)] = vocabulary.facet(attribute, value)
        condition = CONDITIONS.index(chosen["condition"])
        cost = place.price * np.exp(tier[values[item, BRAND]] + rng.normal(0.0, 0.35)) * _CONDITION_PRICE[condition]
        price[item] = max(99, round(cost) * 100 - 1)
        products.append(
            ProductState(
                schema_version=SCHEMA_VERSION,
                item=f"i{item:05d}",
                seller=sellers[item],
                title=_title(rng, vocabulary.nouns[noun[item]], chosen),
                category=place.name,
                category_path=list(place.path),
                price=int(price[item]),
                shipping=int(rng.choice([0, 499, 899])),
                condition=chosen["condition"],
                brand=chosen["brand"].title(),
                specification=_specification(rng, chosen),
                updated_at=int(listed[item]),
            )
        )
    return Catalogue(vocabulary, products, shelf, noun, values, price)


def listing_times(rng: np.random.Generator, count: int, start_ms: int, until_ms: int) -> Ints:
    """When products were listed, ms: one in twelve during the history, the others before it."""
    before = start_ms - rng.integers(DAY_MS, 300 * DAY_MS, count)
    during = rng.integers(start_ms, until_ms, count)
    return np.asarray(np.where(rng.random(count) < 1 / 12, during, before))


def assign_sellers(rng: np.random.Generator, shelf: Ints) -> list[str]:
    """A seller for each product; a seller has 2 to 12 products of one shelf."""
    sellers = [""] * len(shelf)
    number = 0
    for place in np.unique(shelf):
        items = rng.permutation(np.flatnonzero(shelf == place))
        while len(items):
            size = int(rng.integers(2, 13))
            for item in items[:size]:
                sellers[item] = f"seller-{number:04d}"
            items, number = items[size:], number + 1
    return sellers


def _zipf(rng: np.random.Generator, count: int) -> int:
    weights = 1.0 / np.arange(1, count + 1) ** 0.7
    return int(rng.choice(count, p=weights / weights.sum()))


def _title(rng: np.random.Generator, noun: str, chosen: dict[str, str]) -> str:
    """Brand, some facets around the noun, and now and then a seller's boast."""
    told = [value for attribute, value in chosen.items() if attribute not in ("brand", "condition")]
    told = [value for value in rng.permutation(told).tolist() if rng.random() < 0.6]
    before, after = told[: len(told) // 2], told[len(told) // 2 :]
    boast = [str(rng.choice(["NEW", "Premium Quality", "Top Rated", "2024 Edition", "Free Returns"]))]
    condition = [chosen["condition"]] if chosen["condition"] != "new" and rng.random() < 0.7 else []
    words = [*condition, chosen["brand"], *before, noun]
    return " ".join(words).title() + "".join(f", {word}" for word in after + boast * int(rng.random() < 0.25))


def _specification(rng: np.random.Generator, chosen: dict[str, str]) -> dict[str, str]:
    """Most facets, under the attribute's name; one in ten is left out."""
    told = {attribute: value for attribute, value in chosen.items() if attribute not in ("brand", "condition")}
    return {attribute.title(): value for attribute, value in told.items() if rng.random() < 0.9}
