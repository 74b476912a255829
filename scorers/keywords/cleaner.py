"""What a corpus taught: repairs, compounds, and how much each keyword is typed. Applied to a text it gives the key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log2

from scorers.keywords import compounds, spelling
from scorers.keywords.compounds import Compound
from scorers.keywords.evidence import Evidence
from scorers.keywords.intent import without_intent
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key
from scorers.keywords.spelling import Repair, Speller

ROUNDS = 2
"""A keyword with two slips in it is evidence only when one of them is repaired; a third round finds next to nothing."""


@dataclass
class Rules:
    """Rewritings of words, as learnt so far."""

    repairs: dict[str, Repair] = field(default_factory=dict)
    joins: dict[tuple[str, str], Compound] = field(default_factory=dict)
    splits: dict[str, Compound] = field(default_factory=dict)

    def rewrite(self, typed: Words) -> Words:
        """The words with slips repaired and compounds as most people write them."""
        typed = compounds.rewrite(typed, self.joins, self.splits)
        if self.repairs.keys().isdisjoint(typed):
            return typed
        mended = tuple(self.repairs[word].meant if word in self.repairs else word for word in typed)
        return compounds.rewrite(mended, self.joins, self.splits)

    def add(self, repairs: list[Repair], learnt: list[Compound]) -> None:
        """Take up what a round of learning found."""
        self.repairs.update((one.typed, one) for one in repairs)
        self.joins.update(((one.left, one.right), one) for one in learnt if one.joins)
        self.splits.update((one.left + one.right, one) for one in learnt if not one.joins)


@dataclass(frozen=True)
class Learnt:
    """What a corpus taught."""

    rules: Rules
    words: dict[str, tuple[float, int]]
    """Of each word that is still there after the rules were applied: its weight, and in how many texts it is."""
    keys: dict[Words, str]
    """Key of each text."""


def learn(texts: Mapping[Words, float], lexicon: Lexicon, progress: Callable[[int, int], None]) -> Learnt:
    """What a corpus of texts teaches.

    `texts`: words of a text to its weight (see `weight_of`). The outcome is independent of their order.
    """
    rules = Rules()
    now = {typed: typed for typed in texts}
    evidence = Evidence({})
    for number in range(ROUNDS):
        evidence = Evidence(_weighed(texts, now), evidence.key_of)
        wanted = {typed: without_intent(typed, evidence.weight) for typed in evidence.weights}
        evidence = Evidence(_weighed(evidence.weights, wanted), evidence.key_of)
        speller = Speller(evidence.words, evidence.texts, lexicon)
        suspects = speller.suspects(evidence.words)
        is_typed = evidence.weights.__contains__
        repairs = spelling.judge(evidence.weights, suspects, evidence.keys, is_typed, lexicon)
        rules.add(repairs, compounds.learn(evidence, lexicon))
        now = {typed: rules.rewrite(current) for typed, current in now.items()}
        progress(number + 1, ROUNDS)
    evidence = Evidence(_weighed(texts, now), evidence.key_of)
    keys = {typed: key(without_intent(typed, evidence.weight)) for typed in evidence.weights}
    words = {word: (weight, evidence.texts[word]) for word, weight in evidence.words.items()}
    return Learnt(rules, words, {typed: keys[current] for typed, current in now.items()})


def weight_of(volume: int) -> float:
    """What a text typed so often counts as evidence: one text's many searches don't make its spelling right."""
    return log2(1 + volume)


def _weighed(weights: Mapping[Words, float], now: Mapping[Words, Words]) -> dict[Words, float]:
    total: dict[Words, float] = defaultdict(float)
    for typed, weight in weights.items():
        total[now[typed]] += weight
    return dict(total)
