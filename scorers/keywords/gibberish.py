"""Letters that no word of the language would put side by side: hands on a keyboard, or an id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from math import log2

_UNLIKELY = -5.5
"""Mean log2 probability of a letter after the one before: words lie at -3 to -5, noise at -6 to -10."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_RUN = 4
_REPEATED = re.compile(r"(.)\1{3}")
_MEASURE = re.compile(r"\d[\d./]*[a-z]{0,2}")
"""90210 and 1080p say nothing about letters."""
_LETTERS = 40


class Language:
    """How likely a letter follows another, learnt from words."""

    def __init__(self, words: Iterable[str]) -> None:
        """Without any words nothing but runs along the keyboard is noise."""
        self._pairs: Counter[str] = Counter()
        self._firsts: Counter[str] = Counter()
        for word in words:
            for pair in _pairs(word):
                self._pairs[pair] += 1
                self._firsts[pair[0]] += 1

    def is_noise(self, word: str) -> bool:
        """Whether a folded word is none of the language's; only asked of words that nothing else vouches for."""
        if not word.isascii() or _MEASURE.fullmatch(word):
            return False
        if _REPEATED.search(word) or (len(word) >= _RUN and any(_along(word, row) for row in _ROWS)):
            return True
        return len(word) >= _RUN and bool(self._firsts) and self._likelihood(word) < _UNLIKELY

    def _likelihood(self, word: str) -> float:
        pairs = _pairs(word)
        return sum(log2((self._pairs[pair] + 0.5) / (self._firsts[pair[0]] + 0.5 * _LETTERS)) for pair in pairs) / len(
            pairs
        )


def _pairs(word: str) -> list[str]:
    edged = f"^{word}$"
    return [edged[place : place + 2] for place in range(len(edged) - 1)]


def _along(word: str, row: str) -> bool:
    return all(word[place : place + _RUN] in row + "\n" + row[::-1] for place in range(len(word) - _RUN + 1))
