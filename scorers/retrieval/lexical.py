"""Lexical match of keywords to a product's text: words and their character trigrams, weighted by rarity.

A keyword's terms are the words of its canonical form and, at a quarter of the weight, their trigrams, so that a
misspelt word still meets its neighbours. Scores follow BM25 (Robertson and Zaragoza, "The Probabilistic Relevance
Framework: BM25 and Beyond", 2009) with the keyword as the document; a term occurs in a keyword once.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streams.canonical import form_words
from streams.normal_form import normal_form

_K1, _B = 1.2, 0.75
_TRIGRAM_WEIGHT = 0.25


@lru_cache(maxsize=200_000)
def _word_terms(word: str) -> tuple[str, ...]:
    padded = f"#{word}#"
    return (word, *{f"#{padded[i : i + 3]}" for i in range(len(padded) - 2)})


def terms(canonical: str) -> frozenset[str]:
    """Words and trigrams (marked by a `#`) of a canonical form."""
    return frozenset(term for word in form_words(canonical) for term in _word_terms(word))


def words(canonical: str) -> frozenset[str]:
    """Words of a canonical form."""
    return frozenset(form_words(canonical))


def trigrams(canonical: str) -> frozenset[str]:
    """Trigrams of a canonical form's words, marked by a `#`."""
    return frozenset(term for word in form_words(canonical) for term in _word_terms(word)[1:])


def text_terms(text: str) -> frozenset[str]:
    """Terms of free text, a product's say."""
    return terms(normal_form(text))


class LexicalIndex:
    """An inverted index of keywords in memory; rows are numbered in the order in which they are added."""

    def __init__(self, canonicals: Iterable[str] = (), analyse: Callable[[str], frozenset[str]] = terms) -> None:
        """`analyse` gives a canonical form's terms; a text is matched by those of its terms that it gave."""
        self._analyse = analyse
        self._postings: dict[str, array[int]] = {}
        self._lengths = array("f")
        self._idfs: dict[str, float] = {}
        for canonical in canonicals:
            self.add(canonical)

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, canonical: str) -> None:
        """Add a keyword as the next row."""
        row, length = len(self._lengths), 0.0
        for term in self._analyse(canonical):
            self._postings.setdefault(term, array("i")).append(row)
            length += _weight(term)
        self._lengths.append(length)
        self._idfs.clear()

    def scores(self, text: frozenset[str]) -> NDArray[np.float32]:
        """BM25 of every keyword for a product's terms; n."""
        known = [term for term in text if term in self._postings]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        rows = np.concatenate([np.frombuffer(self._postings[term], dtype=np.int32) for term in known])
        weights = np.repeat([self._idf(term) for term in known], [len(self._postings[term]) for term in known])
        sums = np.bincount(rows, weights, minlength=len(self))
        lengths = np.asarray(self._lengths)
        scores = sums * (_K1 + 1) / (1 + _K1 * (1 - _B + _B * lengths / lengths.mean()))
        return np.asarray(scores, dtype=np.float32)

    def best(
        self, text: frozenset[str], limit: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """The `limit` best rows that share a term with the text, best first, with their scores.

        `allowed`: n, the rows that may be found; all when left out.
        """
        scores = self.scores(text)
        if allowed is not None:
            scores[~allowed] = 0.0
        rows = np.argpartition(-scores, min(limit, len(scores) - 1))[:limit] if len(scores) else np.zeros(0, int)
        ordered = rows[np.lexsort((rows, -scores[rows]))]
        return [(int(row), float(scores[row])) for row in ordered if scores[row] > 0]

    def coverage(self, text: frozenset[str], canonicals: Sequence[str]) -> NDArray[np.float32]:
        """Share of each keyword's weight that the text holds, 0 to 1; comparable across products."""
        return np.array([self._covered(text, self._analyse(canonical)) for canonical in canonicals], dtype=np.float32)

    def _covered(self, text: frozenset[str], keyword: frozenset[str]) -> float:
        whole = sum(map(self._idf, keyword))
        return sum(map(self._idf, keyword & text)) / whole if whole else 0.0

    def _idf(self, term: str) -> float:
        """Kept until a keyword is added: the same few thousand terms are asked for all the time."""
        idf = self._idfs.get(term)
        if idf is None:
            found = len(self._postings.get(term, ()))
            idf = self._idfs[term] = _weight(term) * math.log1p((len(self) - found + 0.5) / (found + 0.5))
        return idf


def _weight(term: str) -> float:
    return _TRIGRAM_WEIGHT if term.startswith("#") else 1.0
