"""Compounds, found from the corpus: the same keyword typed in one word and in two (head phones, dogbed)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from scorers.keywords import vocabulary
from scorers.keywords.evidence import Evidence, enough
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key

FREQUENCY_RATIO = 3
"""So many times as frequent each of two words must be as the one that they are split from."""
SHORTEST = 4


class Compound(msgspec.Struct, frozen=True):
    """Two words and one that mean the same; the rarer spelling is rewritten."""

    left: str
    right: str
    joins: bool
    """Two words become one; else one becomes two."""
    supported: int
    keywords: int


def learn(evidence: Evidence, lexicon: Lexicon) -> list[Compound]:
    """Compounds that the corpus gives evidence for. Names are not split."""
    words = evidence.words
    splits = {
        word: parts
        for word, count in words.items()
        if word not in lexicon.names and (parts := _splits(word, count, words))
    }
    pairs = {pair for parts in splits.values() for pair in parts}
    bigrams: dict[tuple[str, str], float] = defaultdict(int)
    joined: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for typed, weight in evidence.weights.items():
        for place, pair in _neighbours(typed):
            if pair in pairs:
                bigrams[pair] += weight
            if _may_join(pair) and (whole := pair[0] + pair[1]) in words:
                seen = joined[pair]
                seen[1] += 1
                seen[0] += key(_join(typed, place, whole)) in evidence.keys
                bigrams[pair] += 0 if pair in pairs else weight
    found = [
        Compound(left, right, True, supported, seen)
        for (left, right), (supported, seen) in joined.items()
        if enough(supported, seen) and words[left + right] >= bigrams[left, right]
    ]
    found += _judge_splits(evidence, splits, bigrams, lexicon)
    return sorted(found, key=lambda one: (one.left, one.right, one.joins))


def rewrite(typed: Words, joins: Mapping[tuple[str, str], Compound], splits: Mapping[str, Compound]) -> Words:
    """The words with learnt compounds as most write them; `joins` by the two words, `splits` by the one."""
    if not splits.keys().isdisjoint(typed):
        typed = tuple(part for word in typed for part in _parts(word, splits))
    place = next((place for place, pair in _neighbours(typed) if pair in joins), None) if joins else None
    if place is None:
        return typed
    return rewrite(_join(typed, place, typed[place] + typed[(place + 1) % len(typed)]), joins, {})


def _parts(word: str, splits: Mapping[str, Compound]) -> Words:
    compound = splits.get(word)
    return (compound.left, compound.right) if compound else (word,)


def _judge_splits(
    evidence: Evidence,
    splits: dict[str, list[tuple[str, str]]],
    bigrams: dict[tuple[str, str], float],
    lexicon: Lexicon,
) -> Iterator[Compound]:
    seen: dict[str, int] = defaultdict(int)
    support: dict[tuple[str, str], int] = defaultdict(int)
    for typed in evidence.weights:
        for word in typed:
            if word not in splits:
                continue
            seen[word] += 1
            for pair in splits[word]:
                if bigrams[pair] >= evidence.words[word]:
                    parts = tuple(part for one in typed for part in (pair if one == word else (one,)))
                    support[pair] += key(parts) in evidence.keys
    for word, pairs in splits.items():
        best = max(pairs, key=lambda pair: (support[pair], pair))
        if enough(support[best], seen[word], word in lexicon.familiar):
            yield Compound(*best, False, support[best], seen[word])


def _splits(word: str, count: float, words: Mapping[str, float]) -> list[tuple[str, str]]:
    """The ways to cut a word in two that are both frequent enough."""
    if len(word) <= SHORTEST or not word.isalpha():
        return []
    return [
        (word[:cut], word[cut:])
        for cut in range(1, len(word))
        if words.get(word[:cut], 0) >= FREQUENCY_RATIO * count and words.get(word[cut:], 0) >= FREQUENCY_RATIO * count
    ]


def _may_join(pair: tuple[str, str]) -> bool:
    """A number is never glued to another, nor a word to a unit or a stop word."""
    left, right = pair
    if left.isdigit() or right in vocabulary.UNITS or len(left) + len(right) < SHORTEST:
        return False
    if left in vocabulary.STOP_WORDS or right in vocabulary.STOP_WORDS:
        return False
    return left.isalpha() and (right.isalpha() or len(left) <= 2)


def _neighbours(typed: Words) -> Iterator[tuple[int, tuple[str, str]]]:
    """Each word with the next; the last with the first, as words may be turned round."""
    count = len(typed)
    for place in range(count if count > 2 else count - 1):
        yield place, (typed[place], typed[(place + 1) % count])


def _join(typed: Words, place: int, whole: str) -> Words:
    if place == len(typed) - 1:
        return (whole, *typed[1:-1])
    return (*typed[:place], whole, *typed[place + 2 :])
