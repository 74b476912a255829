"""The corpus as evidence: how much each text, word and keyword is typed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property

from scorers.keywords.reading import Words, key

MIN_SUPPORT = 0.3
"""Share of a spelling's keywords that others typed in the other one."""
MIN_SUPPORT_FAMILIAR = 2
"""Keywords that must say so of a word of the language: one is chance (sofa cover, soda cover)."""


def enough(supported: int, keywords: int, familiar: bool = False) -> bool:
    """Whether a spelling is to be rewritten, `supported` of whose `keywords` others typed in the other one."""
    return supported >= max(MIN_SUPPORT_FAMILIAR if familiar else 1, MIN_SUPPORT * keywords)


class Evidence:
    """Texts as words, with what they weigh."""

    def __init__(self, weights: Mapping[Words, float], earlier: Mapping[Words, str] | None = None) -> None:
        """`earlier`: texts whose key is known."""
        known = earlier or {}
        self.weights = weights
        self.key_of = {typed: known.get(typed) or key(typed) for typed in weights}
        self.keys: dict[str, float] = defaultdict(float)
        for typed, weight in weights.items():
            self.keys[self.key_of[typed]] += weight

    def weight(self, typed: Words) -> float:
        """How much the keyword is typed, in whatever form."""
        return self.keys.get(self.key_of.get(typed) or key(typed), 0.0)

    @cached_property
    def words(self) -> dict[str, float]:
        """Weight of each word as typed."""
        counts: dict[str, float] = defaultdict(float)
        for typed, weight in self.weights.items():
            for word in typed:
                counts[word] += weight
        return dict(counts)

    @cached_property
    def texts(self) -> dict[str, int]:
        """In how many texts each word is."""
        return Counter(word for typed in self.weights for word in set(typed))
