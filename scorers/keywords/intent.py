"""Words that say "I want to buy" rather than what: taken off the ends of a keyword."""

from __future__ import annotations

import re
from collections.abc import Callable

from scorers.keywords import vocabulary
from scorers.keywords.reading import Words, singular, words

_YEAR = re.compile(r"20[0-4]\d")


def _phrases(texts: str) -> tuple[Words, ...]:
    return tuple(sorted((words(text) for text in texts.split(", ")), key=lambda phrase: (-len(phrase), phrase)))


_OPENERS, _CLOSERS = _phrases(vocabulary.OPENERS), _phrases(vocabulary.CLOSERS)
_ALONE = _phrases(f"{vocabulary.OPENERS}, {vocabulary.CLOSERS}, sale, today, gift, gifts, cheap, new")
_FIRST = frozenset(phrase[0] for phrase in _OPENERS)
_LAST = frozenset(phrase[-1] for phrase in _CLOSERS)


def without_intent(typed: Words, weight: Callable[[Words], float]) -> Words:
    """The words without those of intent. `weight` says how much a keyword is typed.

    A word that may belong to the product (top, shop, a year) goes only if what is left is typed at least as much as the
    whole, and never where it is known to (top hat) or where it tells two keywords apart (calendar 2024, calendar 2025).
    A keyword of nothing but intent stays as it is.
    """
    sure = left = typed
    doubted = False
    while len(left) > 1:
        shorter, doubtful = _shorter(left)
        if not shorter or (doubtful and _other_year(left, weight)):
            break
        left, doubted = shorter, doubted or doubtful
        if not doubted or weight(left) >= weight(typed):
            sure = left
    return sure


def _shorter(typed: Words) -> tuple[Words, bool]:
    """The words without one phrase of intent at an end (empty if there is none), and whether that is doubtful."""
    if typed[0] in _FIRST and (typed[0], singular(typed[1])) not in vocabulary.NAMES:
        for phrase in _OPENERS:
            if typed[: len(phrase)] == phrase and len(typed) > len(phrase):
                return typed[len(phrase) :], phrase[-1] in vocabulary.DOUBTFUL
    if typed[-1] in _LAST and (typed[-2], singular(typed[-1])) not in vocabulary.NAMES:
        for phrase in _CLOSERS:
            if typed[-len(phrase) :] == phrase and len(typed) > len(phrase):
                return typed[: -len(phrase)], phrase[-1] in vocabulary.DOUBTFUL
    return (typed[:-1], True) if _YEAR.fullmatch(typed[-1]) else ((), False)


def _other_year(typed: Words, weight: Callable[[Words], float]) -> bool:
    """Whether the keyword is also typed with another year at its end."""
    if not _YEAR.fullmatch(typed[-1]):
        return False
    year = int(typed[-1])
    return any(weight((*typed[:-1], str(year + ahead))) for ahead in (-2, -1, 1, 2))


def is_intent(typed: Words) -> bool:
    """Whether a text says nothing but that somebody wants to buy: free shipping, sale today, best price."""
    left = typed
    while left:
        for phrase in _ALONE:
            if left[: len(phrase)] == phrase:
                left = left[len(phrase) :]
                break
        else:
            return False
    return True
