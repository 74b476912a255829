"""Words that say "I want to buy" rather than what: taken off the ends of a keyword."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from scorers.keywords import vocabulary
from scorers.keywords.reading import Words, singular, words

_YEAR = re.compile(r"20[0-4]\d")


def _phrases(texts: str) -> tuple[Words, ...]:
    return tuple(sorted((words(text) for text in texts.split(", ")), key=lambda phrase: (-len(phrase), phrase)))


_OPENERS, _CLOSERS = _phrases(vocabulary.OPENERS), _phrases(vocabulary.CLOSERS)
_ALONE = _phrases(f"{vocabulary.OPENERS}, {vocabulary.CLOSERS}, sale, today, gift, gifts, cheap, new")
_ALONE_FIRST = frozenset(phrase[0] for phrase in _ALONE)
_FIRST = frozenset(phrase[0] for phrase in _OPENERS)
_LAST = frozenset(phrase[-1] for phrase in _CLOSERS)
_ASKED_WITH = vocabulary.ASKING | vocabulary.ASKING_BESIDES
_TOLD_WITH = vocabulary.TELLING | vocabulary.TELLING_BESIDES


def without_intent(typed: Words, weight: Callable[[Words], float]) -> Words:
    """The words without those of intent. `weight` says how much a keyword is typed.

    Phrases that can't belong to a product go. A year, and a run of words such as people ask with (do you have, best
    deals today, top), go only if what is left is typed at least as much as the whole, and never where they are known to
    belong (top hat) or tell two keywords apart (calendar 2024, calendar 2025). A keyword of nothing but intent stays.
    """
    left = typed
    while len(left) > 1:
        typed_as_much = (shorter for shorter in _without_runs(left, weight) if weight(shorter) >= weight(typed))
        shorter = next(typed_as_much, ()) or _without_phrase(left)
        if not shorter:
            break
        left = shorter
    return left


def _without_phrase(typed: Words) -> Words:
    """The words without a phrase of intent at an end; empty if there is none."""
    if typed[0] in _FIRST:
        for phrase in _OPENERS:
            if typed[: len(phrase)] == phrase and len(typed) > len(phrase):
                return typed[len(phrase) :]
    if typed[-1] in _LAST:
        for phrase in _CLOSERS:
            if typed[-len(phrase) :] == phrase and len(typed) > len(phrase):
                return typed[: -len(phrase)]
    return ()


def _without_runs(typed: Words, weight: Callable[[Words], float]) -> Iterator[Words]:
    """The words without a year, or without words at the ends that people ask with, the shortest rest first."""
    if _YEAR.fullmatch(typed[-1]):
        if not _other_year(typed, weight):
            yield typed[:-1]
        return
    if typed[0] not in _ASKED_WITH and typed[-1] not in _TOLD_WITH:  # nearly all keywords, told at a glance
        return
    starts = {0, *_runs(typed, vocabulary.ASKING, _ASKED_WITH)}
    ends = {len(typed) - length for length in (0, *_runs(typed[::-1], vocabulary.TELLING, _TOLD_WITH))}
    rests = [(start, end) for start in starts for end in ends if 0 < end - start < len(typed)]
    for start, end in sorted(rests, key=lambda rest: (rest[1] - rest[0], rest)):
        if not (_is_name(typed, start) or _is_name(typed, end)):
            yield typed[start:end]


def _runs(typed: Words, strong: frozenset[str], either: frozenset[str]) -> tuple[int, ...]:
    """How many of the first words are such as people ask with: all in a row, and up to the last strong one."""
    length = next((place for place, word in enumerate(typed) if word not in either), 0)
    last = max((place + 1 for place in range(length) if typed[place] in strong), default=0)
    return (length, last) if last else ()


def _is_name(typed: Words, cut: int) -> bool:
    """Whether a cut before that word would part a name."""
    return 0 < cut < len(typed) and (typed[cut - 1], singular(typed[cut])) in vocabulary.NAMES


def _other_year(typed: Words, weight: Callable[[Words], float]) -> bool:
    """Whether the keyword, whose last word is a year, is also typed with another."""
    year = int(typed[-1])
    return any(weight((*typed[:-1], str(year + ahead))) for ahead in (-2, -1, 1, 2))


def is_intent(typed: Words) -> bool:
    """Whether a text says nothing but that somebody wants to buy: free shipping, sale today, best price."""
    left = typed
    while left and left[0] in _ALONE_FIRST:
        for phrase in _ALONE:
            if left[: len(phrase)] == phrase:
                left = left[len(phrase) :]
                break
        else:
            return False
    return not left
