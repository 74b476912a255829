"""Misspelt words, found from the corpus itself: a rare word that others write another way *in the same keyword*.

Frequency alone would repair a rare brand into a common word. So a repair needs evidence: with the other word in its
place, the keyword is one that others typed. A word is repaired everywhere when enough of its keywords say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import combinations, islice, product
from math import sqrt

import msgspec

from scorers.keywords.evidence import enough
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key, singular
from scorers.keywords.slips import SHORTEST, differ_in_meaning, most_cost, slip_cost
from scorers.keywords.vocabulary import STOP_WORDS

FREQUENCY_RATIO = {1: 1.5, 2: 5.0, 3: 5.0}
"""By cost of the slip: so many times as frequent the word that is meant must be, if it is a known one and the other is
not."""
MOST_RATIO = 10.0
"""Else sqrt(n) times that for a word typed n times, since what is typed often is seldom a slip; but no more than so
many times, since some misspellings are common."""
ESTABLISHED_RATIO = 100.0
"""A word so many times as frequent is taken for a known one."""
FAMILIAR_RATIO = 6.0
"""So many times that again for a word of the language: boost is seldom a slip of boots."""
_MOST_CANDIDATES = 4
_MOST_COMBINATIONS = 32
_PREFIX = 8
"""Candidates are found by the beginnings of words with one or two letters left out (SymSpell)."""

Suspects = Mapping[str, list[tuple[str, int]]]
"""A word to the words that may be meant, each with the cost of the slip; the likeliest first."""


class Repair(msgspec.Struct, frozen=True):
    """A misspelt word and what is meant."""

    typed: str
    meant: str
    cost: int
    supported: int
    """Keywords with `typed` that others typed with `meant`."""
    keywords: int
    """Keywords with `typed`."""


class Speller:
    """Finds the words that may be meant by another, among those frequent enough."""

    def __init__(self, weights: Mapping[str, float], texts: Mapping[str, int], lexicon: Lexicon) -> None:
        """`weights`: how much each word is typed; `texts`: in how many texts."""
        self._lexicon = lexicon
        self._counts = (_by_singular(weights), _by_singular(texts))
        self._index: dict[str, list[str]] = defaultdict(list)
        weight = self._counts[0]
        frequent = {word for word in weights if word.isalpha() and weight[singular(word)] >= FREQUENCY_RATIO[1]}
        plurals = {one + "s" for word in frequent if not (one := singular(word)).endswith("s")}
        for word in sorted(frequent | {plural for plural in plurals if singular(plural) in weight}):
            if len(word) >= SHORTEST or word in STOP_WORDS:
                for rest in _shortened(word):
                    self._index[rest].append(word)

    def suspects(self, words: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
        """Those of `words` that may be slips."""
        found = {word: self._meant(word) for word in words}
        return {word: meant for word, meant in found.items() if meant}

    def _meant(self, typed: str) -> list[tuple[str, int]]:
        base = singular(typed)
        strange = self._lexicon.familiar.isdisjoint((typed, base))
        if not typed.isalpha() or len(typed) < SHORTEST - strange or not self._lexicon.names.isdisjoint((typed, base)):
            return []
        best: dict[str, tuple[int, float, str]] = {}
        for word in {word for rest in _shortened(typed) for word in self._index.get(rest, ())}:
            meant = singular(word)
            if meant == base or not self._outnumbers(meant, base, FREQUENCY_RATIO[1]):
                continue
            known = strange and (self._lexicon.knows(word, meant) or self._outnumbers(meant, base, ESTABLISHED_RATIO))
            cost = slip_cost(typed, word, known)
            if not cost or differ_in_meaning(base, meant, strange):
                continue
            if self._outnumbers(meant, base, FREQUENCY_RATIO[cost], 1.0 if strange else FAMILIAR_RATIO, known):
                best[meant] = min(best.get(meant, (9, 0, "")), (cost, -self._counts[0][meant], word))
        return [(word, cost) for cost, _, word in sorted(best.values())[:_MOST_CANDIDATES]]

    def _outnumbers(self, meant: str, typed: str, ratio: float, factor: float = 1.0, known: bool = True) -> bool:
        """Whether a word is so much more frequent, by weight or by texts; both in the singular."""
        for counts in self._counts:
            count = max(1.0, counts.get(typed, 0))
            if counts[meant] >= count * ratio * (1.0 if known else factor * min(sqrt(count), MOST_RATIO)):
                return True
        return False


def _by_singular(counts: Mapping[str, float]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for word, count in counts.items():
        total[singular(word)] += count
    return dict(total)


def judge(
    texts: Iterable[Words],
    suspects: Suspects,
    keys: Collection[str],
    is_typed: Callable[[Words], bool],
    lexicon: Lexicon,
) -> list[Repair]:
    """Of the suspected slips in `texts` those that enough keywords support.

    What others typed: `keys`, and whether it is such a text.
    """
    seen: dict[str, int] = defaultdict(int)
    support: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for typed in texts:
        if not (suspected := [word for word in typed if word in suspects]):
            continue
        for word in suspected:
            seen[word] += 1
        for changes in _supported(typed, suspected, suspects, keys, is_typed):
            for word, meant in changes.items():
                support[word][meant] += 1
    repairs = []
    for word in sorted(support):
        cost = dict(suspects[word])
        meant = max(support[word], key=lambda one: (support[word][one], -cost[one], one))
        if enough(support[word][meant], seen[word], word in lexicon.familiar):
            repairs.append(Repair(word, meant, cost[meant], support[word][meant], seen[word]))
    return repairs


def _supported(
    typed: Words,
    suspected: list[str],
    suspects: Suspects,
    keys: Collection[str],
    is_typed: Callable[[Words], bool],
) -> Iterator[dict[str, str]]:
    """The ways of changing suspected words, as few as will do, that give a keyword which others typed.

    A stop word is no part of a keyword: others must have typed the very text with it.
    """
    options = [[(word, word), *((word, meant) for meant, _ in suspects[word])] for word in suspected]
    ways = [
        {word: meant for word, meant in way if word != meant} for way in islice(product(*options), _MOST_COMBINATIONS)
    ]
    fewest = len(typed) + 1
    for way in sorted(ways[1:], key=len):
        if len(way) > fewest:
            return
        changed = tuple(way.get(word, word) for word in typed)
        if key(changed) in keys if STOP_WORDS.isdisjoint(way.values()) else is_typed(changed):
            fewest = len(way)
            yield way


def _shortened(word: str) -> Iterable[str]:
    start = word[:_PREFIX]
    yield start
    for gone in range(1, 3 if most_cost(len(word) + 1) > 2 else 2):
        for kept in combinations(start, len(start) - gone):
            yield "".join(kept)
