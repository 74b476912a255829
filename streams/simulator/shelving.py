"""Puts a team's products on shelves: categories that hold enough, and what shoppers could call and ask of the goods."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.contracts.events import UNKNOWN_CATEGORY
from streams.simulator.shelves import Shelf

if TYPE_CHECKING:
    from streams.simulator.own_catalogue import Row

NOUNS, ATTRIBUTES, VALUES = 5, 6, 14
"""At most so many per shelf, attributes per shelf, values per attribute."""
_SMALLEST_SHARE, _SMALLEST = 0.008, 4
_DULL_KEYS = re.compile(
    r"code|number|name|\bid\b|warrant|care|package|dimension|note|delivery|service|included|contents|size in|sku|brand|"
    r"certif|series|weight|width|height|depth|length|washable|adjust|install",
    re.IGNORECASE,
)
_DULL_VALUES = frozenset("na n/a no yes none other others not available free standard".split()) | {"not applicable"}
_VALUE = re.compile(r"^[a-z0-9][a-z0-9 .%'/-]{1,23}$")
_WORD = re.compile(r"[a-z][a-z']+")
_NOT_A_NOUN = frozenset("for and with of the in set pack combo new free men women boys girls a".split())


@dataclass(frozen=True)
class Shelving:
    """Per product: its shelf, the category it is counted under (None: it states none), its facets and its noun."""

    shelves: tuple[Shelf, ...]
    shelf_of: list[int]
    category_of: list[str | None]
    facets_of: list[dict[str, str]]
    noun_of: list[str | None]


def shelve(rows: list[Row]) -> Shelving:
    """Shelves of the deepest categories that hold enough products.

    A product without a category goes where its title's noun is at home, but is still counted under no category.
    """
    paths = _shelf_paths(rows)
    names = _names({path for path in paths if path})
    nouns = {path: _nouns([row for row, at in zip(rows, paths, strict=True) if at == path], path) for path in names}
    home = {noun: path for path, found in reversed(list(nouns.items())) for noun in found}
    placed = [path or _home(row.title, home) for row, path in zip(rows, paths, strict=True)]
    if () in placed:
        names[()] = UNKNOWN_CATEGORY
        nouns[()] = _nouns([row for row, at in zip(rows, placed, strict=True) if at == ()], (UNKNOWN_CATEGORY,))
    size = Counter(placed)
    order = sorted(size, key=lambda path: (-size[path], path))  # a noun that two shelves share is the larger one's
    everyones = float(np.median([row.price for row in rows if row.price] or [20.0]))
    shelves, facets_of = [], [dict[str, str]() for _ in rows]
    for path in order:
        members = [place for place, at in enumerate(placed) if at == path]
        facets = _facets([rows[place] for place in members])
        for place in members:
            facets_of[place] = _described(rows[place], facets)
        brands = sorted({brand.lower() for place in members if (brand := rows[place].brand)})
        prices = [price for place in members if (price := rows[place].price)]
        middle = float(np.median(prices)) if prices else everyones
        peak = sum(map(ord, names[path])) % 365
        shelves.append(Shelf((*path[:-1], names[path]), nouns[path], tuple(brands), facets, middle, peak, 0.2))
    return Shelving(
        tuple(shelves),
        [order.index(path) for path in placed],
        [names[path] if path else None for path in paths],
        facets_of,
        [_said(row.title, nouns[path]) for row, path in zip(rows, placed, strict=True)],
    )


def _shelf_paths(rows: list[Row]) -> list[tuple[str, ...]]:
    """Each row's deepest category path that enough rows share; () for a row without a category."""
    enough = max(_SMALLEST, int(_SMALLEST_SHARE * len(rows)))
    paths = [_without_brand(row) for row in rows]
    count = Counter(path[:depth] for path in paths for depth in range(1, len(path) + 1))
    chosen = []
    for path in paths:
        depths = [depth for depth in range(1, len(path) + 1) if count[path[:depth]] >= enough]
        chosen.append(path[: max(depths, default=min(1, len(path)))])
    return chosen


def _without_brand(row: Row) -> tuple[str, ...]:
    """The path up to the level that begins like the title: from there on it names a maker or the product itself."""
    maker = row.title.split()[0].lower()
    named = [depth for depth in range(1, len(row.path)) if row.path[depth].lower().startswith(maker)]
    return row.path[: min(named, default=len(row.path))]


def _names(paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """A category's name is its last level, with the level above where two would be the same."""
    last = Counter(path[-1] for path in paths)
    return {path: path[-1] if last[path[-1]] == 1 else " > ".join(path[-2:]) for path in sorted(paths)}


def _nouns(rows: list[Row], path: tuple[str, ...]) -> tuple[str, ...]:
    """What the goods are called: how their titles end, and the category's own name."""
    count: Counter[str] = Counter()
    for row in rows:
        words = _WORD.findall(re.split(r"[,(|]| - | for ", row.title.lower())[0])
        for length in (1, 2):
            ending = words[-length:]
            repeats = len(set(ending)) < length
            if not repeats and not any(word in _NOT_A_NOUN for word in ending) and _is_noun(ending[-1]):
                count[" ".join(ending)] += 1
    common = [noun for noun, times in count.most_common(NOUNS) if times >= max(2, 0.05 * len(rows))]
    own = " ".join(_WORD.findall(path[-1].lower()))
    found = list(dict.fromkeys([*common, own])) if own else common
    return tuple(found[:NOUNS]) or tuple(noun for noun, _ in count.most_common(1)) or ("product",)


def _is_noun(word: str) -> bool:
    return len(word) > 2 and not word.endswith("'s")


def _home(title: str, home: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    said = _said(title, tuple(home))
    return home[said] if said else ()


def _said(title: str, nouns: tuple[str, ...]) -> str | None:
    """The longest of the nouns that the title holds, in either number."""
    padded = f" {' '.join(_WORD.findall(title.lower()))} "
    held = [noun for noun in nouns if f" {noun} " in padded or f" {noun.removesuffix('s')} " in padded]
    return max(held, key=len, default=None)


def _facets(rows: list[Row]) -> dict[str, tuple[str, ...]]:
    """The attributes that many of a shelf's products state, with their common values."""
    values: dict[str, Counter[str]] = {}
    for row in rows:
        for key, text in row.specification.items():
            if (value := _value(text)) and not _DULL_KEYS.search(key):
                values.setdefault(key.lower(), Counter())[value] += 1
    told = {key: count for key, count in values.items() if sum(count.values()) >= max(2, 0.1 * len(rows))}
    best = sorted(told, key=lambda key: (-sum(told[key].values()) * (len(told[key]) > 1), key))[:ATTRIBUTES]
    return {key: tuple(value for value, _ in told[key].most_common(VALUES)) for key in best if key != "condition"}


def _described(row: Row, facets: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A product's facets: what its specification states, else what its title says."""
    found = {}
    stated = {key.lower(): _value(text) for key, text in row.specification.items()}
    title = f" {row.title.lower()} "
    for attribute, values in facets.items():
        said = next((value for value in values if f" {value} " in title), None)
        if (value := stated.get(attribute) or said) in values:
            found[attribute] = value
    return {attribute: value for attribute, value in found.items() if value}


def _value(text: str) -> str | None:
    """A value that a shopper could ask for: the first of several, short and of plain words."""
    value = re.split(r"[,;|]", text)[0].strip().lower()
    plain = _VALUE.match(value) and value not in _DULL_VALUES and len(value.split()) <= 3
    return value if plain else None
