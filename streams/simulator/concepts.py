"""What shoppers mean: a noun and up to three facets asked of it. Each concept is one true canonical keyword."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulator.catalogue import BRAND, CONDITION, Catalogue, Floats, Ints, Vocabulary

ASKS = 3
"""Most facets that one concept asks for."""
PRICE_WORDS = {"cheap": -0.7, "budget": -0.6, "affordable": -0.4, "premium": 0.6, "luxury": 0.8, "professional": 0.5}
"""Word -> where its shoppers look for a price: log of price over the shelf's median."""
CURIOUS_WORDS = ("review", "ideas", "pictures", "repair", "size chart", "how to clean", "history", "drawing")
"""With these words people look and do not buy."""
_JUNK = (
    "free shipping",
    "asdf",
    "login",
    "test",
    "null",
    "coupon code",
    "my orders",
    "gift",
    "sale today",
    "www",
    "xx",
)
_LAST = ("with ", "for ", "size ")
"""Facets that begin so are said after the noun."""


@dataclass(frozen=True)
class Concepts:
    """C concepts; per concept an entry of each field."""

    text: list[str]
    """The true canonical form."""
    shelf: Ints
    """-1 for junk, which no item answers."""
    noun: Ints
    asks: Ints
    """C x ASKS facets, -1 where fewer are asked."""
    weight: Floats
    """Share of all searches at the mean of seasons and trends."""
    buying: Floats
    """P(the shopper means to buy)."""
    lure: Floats
    """Added to the log-odds of a click."""
    price_taste: Floats
    """Preferred price: log over the shelf's median."""
    curious: NDArray[np.bool_]
    """Asks for information, not for a product."""

    def __len__(self) -> int:
        return len(self.text)


def make_concepts(rng: np.random.Generator, catalogue: Catalogue, count: int) -> Concepts:
    """About `count` concepts drawn from what the catalogue holds, so that every one but junk has an item.

    Fewer come out when a small catalogue has no more to say.
    """
    maker = _Maker(rng, catalogue)
    for noun in range(len(catalogue.vocabulary.nouns)):
        maker.add(noun, [], None, None)
    for text in _JUNK:
        maker.add_junk(text)
    for _ in range(count // 40):
        maker.add_junk("".join(rng.choice(list("abcdefghijkmnoprstuvwxyz0123456789"), size=rng.integers(5, 10))))
    for _ in range(8 * count):
        if len(maker.text) >= count:
            break
        maker.draw()
    return maker.finish()


class _Maker:
    def __init__(self, rng: np.random.Generator, catalogue: Catalogue) -> None:
        self.rng = rng
        self.catalogue = catalogue
        self.vocabulary: Vocabulary = catalogue.vocabulary
        shelves = len(catalogue.shelves)
        stocked = np.bincount(catalogue.shelf, minlength=shelves) + 1.0
        self.shelf_weight = np.log(stocked / stocked.mean()) + rng.normal(0.0, 0.4, shelves)
        self.text: list[str] = []
        self.known: set[frozenset[str]] = set()
        self.rows: list[tuple[int, int, list[int], float, float, float, float, bool]] = []
        self.nouns_of = [np.flatnonzero(self.vocabulary.noun_shelf == place) for place in range(shelves)]

    def draw(self) -> None:
        """A concept that some product answers: some of its facets, around one of its shelf's nouns."""
        rng = self.rng
        item = int(rng.integers(0, len(self.catalogue)))
        nouns = self.nouns_of[self.catalogue.shelf[item]]
        if not len(nouns):
            return
        noun = int(nouns[min(int(rng.exponential(1.0)), len(nouns) - 1)])
        has = self.catalogue.values[item]
        new = self.vocabulary.facet("condition", "new")
        said = self.vocabulary.nouns[noun]
        askable = [int(facet) for facet in has if facet >= 0 and facet != new]
        askable = [facet for facet in askable if self.vocabulary.facets[facet].lower() not in said]
        asked = int(rng.choice([0, 1, 2, 3], p=[0.04, 0.46, 0.35, 0.15]))
        asks = sorted(rng.permutation(askable)[:asked].tolist())
        price_word = str(rng.choice(list(PRICE_WORDS))) if rng.random() < 0.08 else None
        curious_word = str(rng.choice(CURIOUS_WORDS)) if rng.random() < 0.09 else None
        self.add(noun, asks, price_word, curious_word)

    def add(self, noun: int, asks: list[int], price_word: str | None, curious_word: str | None) -> None:
        text = self._text(noun, asks, price_word, curious_word)
        if not self._is_new(text):
            return
        rng = self.rng
        place = int(self.vocabulary.noun_shelf[noun])
        rank = noun - int(self.nouns_of[place][0])
        head = not asks and price_word is None and curious_word is None
        weight = self.shelf_weight[place] - 0.5 * np.log1p(rank) - 0.45 * len(asks) + rng.normal(0.0, 0.9) + 2.2 * head
        weight -= 0.7 * (price_word is not None) + 0.3 * (curious_word is not None)
        intent = -0.3 + 0.35 * len(asks) + rng.normal(0.0, 0.7)
        lure = rng.normal(0.0, 0.25)
        if curious_word:
            intent, lure = -3.5, lure + 0.3
        elif rng.random() < 0.15:  # window-shopping: nothing in the text says so, only counts can
            intent, lure = intent - 2.2, lure + 0.4
        taste = PRICE_WORDS[price_word] if price_word else rng.normal(0.0, 0.3)
        self.rows.append((place, noun, asks, weight, 1 / (1 + np.exp(-intent)), lure, taste, curious_word is not None))
        self.text.append(text)

    def add_junk(self, text: str) -> None:
        if self._is_new(text):
            self.rows.append((-1, -1, [], self.rng.normal(-1.0, 1.0), 0.0, 0.0, 0.0, False))
            self.text.append(text)

    def finish(self) -> Concepts:
        shelf, noun, asks, weight, buying, lure, taste, curious = zip(*self.rows, strict=True)
        padded = np.full((len(self.rows), ASKS), -1, dtype=np.int64)
        for row, asked in enumerate(asks):
            padded[row, : len(asked)] = asked
        share = np.exp(np.array(weight))
        return Concepts(
            self.text,
            np.array(shelf),
            np.array(noun),
            padded,
            share / share.sum(),
            np.array(buying),
            np.array(lure),
            np.array(taste),
            np.array(curious),
        )

    def _text(self, noun: int, asks: list[int], price_word: str | None, curious_word: str | None) -> str:
        attribute = self.vocabulary.facet_attribute
        spoken = sorted(asks, key=lambda facet: (attribute[facet] != CONDITION, attribute[facet] != BRAND, facet))
        words = [self.vocabulary.facets[facet].lower() for facet in spoken]
        before = [word for word in words if not word.startswith(_LAST)]
        after = [word for word in words if word.startswith(_LAST)]
        parts = [price_word, *before, self.vocabulary.nouns[noun], *after, curious_word]
        return " ".join(part for part in parts if part)

    def _is_new(self, text: str) -> bool:
        """Two texts with the same words in any order, singular or plural, are one concept: the first stays."""
        words = frozenset(word.rstrip("s") for word in text.replace("-", " ").split())
        if words in self.known or len(text) > 150:
            return False
        self.known.add(words)
        return True
