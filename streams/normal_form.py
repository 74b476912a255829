"""The normal form of a keyword: what it counts under until a dictionary says better. Pure, and the same for ever.

Unicode folding, lower case, words and numbers apart from punctuation, numbers joined to their unit, stop words out,
stems, words in alphabetical order. Deliberately careful: it merges only what is surely the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"[^\W_]+(?:\.\d+)?", re.UNICODE)
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_UNITS = frozenset("gb tb mb kg g mg ml l cm mm m ft inch oz lb lbs w v mah hz ghz mhz mp pack pcs pc k".split())
_STOP_WORDS = frozenset("a an and at by for from in of on or the to with".split())
_STEMMER = snowballstemmer.stemmer("english")
EMPTY = "~"
"""The normal form of text without a word in it."""


@lru_cache(maxsize=200_000)
def normal_form(text: str) -> str:
    """Canonical form of free text; `EMPTY` when it has no word. Idempotent and independent of word order."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    words = _join_units(_WORD.findall(_POSSESSIVE.sub("", folded)))
    kept = [word for word in words if word not in _STOP_WORDS] or words
    stems = {_stem(word) for word in kept}
    return " ".join(sorted(stems)) or EMPTY


def _join_units(words: list[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if word in _UNITS and joined and joined[-1].replace(".", "").isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return joined


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """Stem of a word; stemmed until it stays, so that the normal form of a normal form is itself."""
    if any(char.isdigit() for char in word):
        return word
    while (stem := _STEMMER.stemWord(word)) != word:
        word = stem
    return str(word)
