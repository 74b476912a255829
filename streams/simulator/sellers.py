"""Sellers open campaigns and choose keywords: some with care, many by popularity or at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from infra.failure import Failure
from infra.settings import DAY_MS
from streams.contracts.messages import MatchType
from streams.simulator.catalogue import BRAND, Catalogue, Floats, Ints
from streams.simulator.concepts import Concepts
from streams.simulator.keywords import Keywords
from streams.simulator.relevance import fit

Manner = Literal["careful", "hasty", "careless"]
_MANNERS: dict[Manner, float] = {"careful": 0.35, "hasty": 0.4, "careless": 0.25}
_MATCH_TYPES: dict[MatchType, float] = {"exact": 0.65, "phrase": 0.1, "broad": 0.25}
NEVER_MS = 9_999_999_999_999
Option = TypeVar("Option", bound=str)


class TooFewProducts(Failure):
    """Each campaign needs a product of its own."""

    exit_code = 2


@dataclass(frozen=True)
class Choice:
    """A keyword that a campaign chose. `concept` is -1 for a seller's own phrase, which nobody searches."""

    text: int
    concept: int
    match_type: MatchType
    bid: int
    """Minor units for a click."""


@dataclass(frozen=True)
class Campaigns:
    """M campaigns; an item is promoted by one campaign at most."""

    seller: list[str]
    shelf: Ints
    items: list[Ints]
    choices: list[list[Choice]]
    ad_rate: Floats
    starts: Ints
    ends: Ints
    """`NEVER_MS` for a campaign without end."""
    paused: NDArray[np.bool_]
    texts: list[str]
    """All keyword texts: what shoppers type, then the sellers' own phrases."""
    bid: Floats
    """Each campaign's usual bid: the mean of its keywords' bids."""

    def __len__(self) -> int:
        return len(self.seller)

    def owner(self, products: int) -> Ints:
        """The campaign of each item, -1 for none."""
        owner = np.full(products, -1, dtype=np.int64)
        for campaign, items in enumerate(self.items):
            owner[items] = campaign
        return owner


def open_campaigns(
    rng: np.random.Generator,
    catalogue: Catalogue,
    concepts: Concepts,
    keywords: Keywords,
    count: int,
    start_ms: int,
    until_ms: int,
) -> Campaigns:
    """`count` campaigns of one to six items of one seller; half are older than the history, half open during it.

    Raises:
        TooFewProducts: there are too few for that many campaigns.
    """
    groups = _groups(rng, catalogue, count)
    texts = list(keywords.text)
    on_shelf = [np.flatnonzero(concepts.shelf == place) for place in range(len(catalogue.shelves))]
    choices, usual = [], []
    for items in groups:
        place = int(catalogue.shelf[items[0]])
        middle = float(np.clip(0.015 * np.median(catalogue.price[items]), 12, 150)) * np.exp(rng.normal(0.0, 0.35))
        picked = _pick(rng, catalogue, concepts, items, on_shelf[place])
        chosen = {}
        for concept in picked.tolist():
            first = int(keywords.first[concept])
            last = int(np.searchsorted(keywords.concept, concept, side="right")) - 1
            text = first if rng.random() < 0.75 else int(rng.integers(first, last + 1))
            chosen[text] = concept
        if rng.random() < 0.15:
            chosen[len(texts)] = -1
            texts.append(_own_phrase(rng, catalogue, int(items[0])))
        made = []
        for text, concept in chosen.items():
            match_type = _draw(rng, _MATCH_TYPES)
            made.append(Choice(text, concept, match_type, max(5, round(middle * np.exp(rng.normal(0.0, 0.25))))))
        choices.append(made)
        usual.append(float(np.mean([choice.bid for choice in made])) if made else middle)
    before = start_ms - rng.integers(0, 60 * DAY_MS, count)
    during = rng.integers(start_ms, until_ms, count)
    starts = np.where(rng.random(count) < 0.5, before, during)
    ends = np.where(rng.random(count) < 0.06, rng.integers(starts, until_ms + 1), NEVER_MS)
    return Campaigns(
        [catalogue.products[items[0]].seller for items in groups],
        catalogue.shelf[[items[0] for items in groups]],
        groups,
        choices,
        np.where(rng.random(count) < 0.5, np.round(rng.uniform(0.02, 0.15, count), 3), 0.0),
        starts,
        ends,
        (ends == NEVER_MS) & (rng.random(count) < 0.04),
        texts,
        np.array(usual),
    )


def _groups(rng: np.random.Generator, catalogue: Catalogue, count: int) -> list[Ints]:
    """The items of each campaign: disjoint, of one seller and so of one shelf."""
    if count > len(catalogue):
        raise TooFewProducts(f"campaigns: {count} is more than the {len(catalogue)} products; ask for fewer campaigns")
    mean_size = min(3.0, 0.5 * len(catalogue) / count)
    by_seller: dict[str, list[int]] = {}
    for item, product in enumerate(catalogue.products):
        by_seller.setdefault(product.seller, []).append(item)
    groups = []
    for seller in rng.permutation(sorted(by_seller)).tolist():
        items = rng.permutation(by_seller[seller])
        while len(items):
            size = 1 + min(5, int(rng.poisson(max(0.0, mean_size - 1))))
            groups.append(items[:size])
            items = items[size:]
    while len(groups) < count:  # few products a seller: the largest groups are halved
        largest = max(range(len(groups)), key=lambda place: len(groups[place]))
        half = len(groups[largest]) // 2
        groups.append(groups[largest][half:])
        groups[largest] = groups[largest][:half]
    return [groups[place] for place in rng.permutation(len(groups))[:count]]


def _pick(rng: np.random.Generator, catalogue: Catalogue, concepts: Concepts, items: Ints, shelf: Ints) -> Ints:
    """The concepts that a seller chooses for its items."""
    wanted = int(rng.integers(4, 17))
    manner = _draw(rng, _MANNERS)
    popularity = np.log(concepts.weight[shelf])
    if manner == "careful":
        relevance = fit(catalogue, concepts, items[:, None], shelf[None, :]).relevance.mean(axis=0)
        liking = 4 * relevance + 0.5 * popularity - 2 * concepts.curious[shelf] + rng.normal(0, 0.6, len(shelf))
    elif manner == "hasty":
        liking = popularity + rng.normal(0, 0.9, len(shelf))
    else:
        liking = rng.normal(0, 1, len(shelf))
    picked = shelf[np.argsort(-liking, kind="stable")[:wanted]]
    if manner == "careless":
        picked = np.concatenate([picked, rng.integers(0, len(concepts), max(1, wanted // 6))])
    return picked


def _own_phrase(rng: np.random.Generator, catalogue: Catalogue, item: int) -> str:
    """What only this seller would ever type: its own article code."""
    brand = catalogue.values[item, BRAND]
    name = catalogue.vocabulary.facets[brand].lower() if brand >= 0 else "house brand"
    return f"{name} article {rng.integers(10_000, 99_999)}"


def _draw(rng: np.random.Generator, shares: dict[Option, float]) -> Option:
    options = list(shares)
    return options[rng.choice(len(options), p=list(shares.values()))]
