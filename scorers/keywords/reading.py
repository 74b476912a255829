"""A folded keyword read: words in the order typed, and the key that says which words they are.

Pure, and finer than `streams.normal_form`: what a text counts under until a dictionary knows it merges a little more
(on-ear and in-ear headphones; bed and bedding), which a dictionary keeps apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from scorers.keywords import vocabulary

_APOSTROPHE_S = re.compile(r"['’`´]s\b")
_APOSTROPHE = re.compile(r"(?<=\w)['’`´](?=\w|\s|$)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_INCHES = re.compile(r"(?<=\d)\s?(?:\"|”|″|''|’’|′′)")
_FEET = re.compile(r"(?<=\d)\s?['’′](?!\w)")
_PLUS = re.compile(r"(?<=\w)\+(?!\w)")
_WITHOUT = re.compile(r"\bw/o\b")
_WITH = re.compile(r"\bw/(?=\s|[^\W\d])")
_TIMES = re.compile(r"(?<=\d)\s?[x×*]\s?(?=\d)")
_WORD = re.compile(r"\d+(?:[./]\d+)*[^\W_]*|[^\W_]+")
_NUMBER_AND_WORD = re.compile(r"(\d+(?:[./]\d+)*)([^\W\d]+)")
_WORD_AND_NUMBER = re.compile(r"([^\W\d]{3,})(\d+(?:[./]\d+)*)")
_NUMBER = re.compile(r"\d+(?:[./]\d+)*")
_NUMBERS = frozenset(vocabulary.NUMBER_WORDS)

Words = tuple[str, ...]


def words(folded: str) -> Words:
    """The words of a folded text as typed and in order; signs that mean a word are words, numbers stand alone."""
    if folded.replace(" ", "").isalpha():
        return tuple(folded.split(" "))
    found: list[str] = []
    for token in _WORD.findall(_spell_out(folded)):
        if token.isalpha():
            found.append(token)
        else:
            found += _parts(token)
    return tuple(found)


def key(typed: Words) -> str:
    """What makes two texts the same keyword: their words in the singular, numbers joined to their units, stop words
    left out, in alphabetical order, each once. Empty for no words.

    Where two numbers stand without a unit, each is bound to the word before it: "size 9 width 10" is not
    "size 10 width 9".
    """
    if not typed:
        return ""
    found: Sequence[str] = typed
    plain = "".join(typed).isalpha()
    if not plain or not _NUMBERS.isdisjoint(typed):
        found = _join_units(typed)
    if not vocabulary.STOP_WORDS.isdisjoint(found):
        found = _bind(found)
    if not plain and sum(map(_is_number, found)) > 1:
        found = _bind_numbers(found)
    named = {singular(word) for word in found}
    return " ".join(sorted(named - vocabulary.STOP_WORDS or named))


@lru_cache(maxsize=1_000_000)
def singular(word: str) -> str:
    """A word's singular in American spelling. Nothing else is taken off: paint is not painting, bed not bedding."""
    stem = vocabulary.PLURALS.get(word) or _without_s(word)
    return vocabulary.SAME.get(stem, stem)


def _without_s(word: str) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    if word[-1] == "s" and word not in vocabulary.KEPT_PLURALS and not word.endswith(("ss", "us")):
        word = word[:-1]
    if word.endswith("ie") and len(word) > 4:
        return word[:-2] + "y"
    return word[:-1] if word.endswith(("sse", "she", "che", "xe", "zze")) else word


def _spell_out(folded: str) -> str:
    """Signs that mean a word, as words."""
    folded = _APOSTROPHE_S.sub("", _FEET.sub(" ft ", _INCHES.sub(" inch ", folded)))
    folded = _WITH.sub("with ", _WITHOUT.sub("without ", _APOSTROPHE.sub("", folded)))
    folded = _PLUS.sub(" plus ", _THOUSANDS.sub("", folded)).replace("%", " percent ")
    return _TIMES.sub("x", folded)


@lru_cache(maxsize=1_000_000)
def _parts(token: str) -> Words:
    """12cup -> 12 cup, size9 -> size 9; a model number (1000xm4, s22) stays whole."""
    if (found := _NUMBER_AND_WORD.fullmatch(token)) and (found[2] in vocabulary.UNITS or len(found[2]) >= 3):
        return found[1], found[2]
    if token.endswith("in") and _NUMBER.fullmatch(token[:-2]):
        return token[:-2], "inch"
    if found := _WORD_AND_NUMBER.fullmatch(token):
        return found[1], found[2]
    return (token,)


def _join_units(typed: Sequence[str]) -> list[str]:
    """A unit joins the number before it. At the start of a text that ends in a number it was turned round with it."""
    if typed[0] in vocabulary.UNITS and len(typed) > 2 and _is_number(typed[-1]) and typed[-2] != "size":
        typed = [typed[-1], *typed[:-1]]
    found: list[str] = []
    for word in typed:
        if found and (unit := vocabulary.UNITS.get(word) or vocabulary.UNITS.get(singular(word))):
            number = vocabulary.NUMBER_WORDS.get(found[-1], found[-1])
            if _is_number(number):
                found[-1] = number + unit
                continue
        found.append(word)
    return found


def _bind(found: Sequence[str]) -> list[str]:
    """Bound pairs joined. A text that ends in a stop word was turned round: its last word belongs to its first."""
    if len(found) > 2 and found[-1] in vocabulary.STOP_WORDS and (found[-2], found[-1]) not in vocabulary.BOUND:
        found = [found[-1], *found[:-1]]
    bound: list[str] = []
    for word in found:
        if bound and (bound[-1], word) in vocabulary.BOUND:
            bound[-1] += word
        else:
            bound.append(word)
    return bound


def _bind_numbers(found: Sequence[str]) -> list[str]:
    bound: list[str] = []
    for word in found:
        if bound and _is_number(word) and not bound[-1][-1].isdigit():
            bound[-1] += word
        else:
            bound.append(word)
    return bound


def _is_number(word: str) -> bool:
    return word[0].isdigit() and _NUMBER.fullmatch(word) is not None
