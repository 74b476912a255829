"""How a word may have become another under hasty fingers, and what may never be taken for a slip."""

from __future__ import annotations

from itertools import pairwise

from rapidfuzz.distance import OSA

from scorers.keywords import vocabulary

SHORTEST = 4
"""No shorter word is mended, or taken for what was meant, but a stop word of three letters."""
_COST_BY_LENGTH = ((4, 1), (6, 2), (7, 3))
"""From this length on a word may have a slip of this cost;"""
_COST_BY_LENGTH_OF_KNOWN = ((3, 2), (6, 3))
"""the same where the word that is meant is known to be one: another is then hardly a word of its own."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_ALIKE = ("aeiou", "iy", "ckqsxz", "mn", "dt", "bp", "gj", "fv", "vw", "lr")
"""Letters written for each other because they sound alike."""


def _neighbours() -> frozenset[tuple[str, str]]:
    pairs = {(row[place], row[place + 1]) for row in _ROWS for place in range(len(row) - 1)}
    for upper, lower in pairwise(_ROWS):
        for place, char in enumerate(lower):
            pairs |= {(char, above) for above in upper[place : place + 2]}
    pairs |= {(one, other) for alike in _ALIKE for one in alike for other in alike if one != other}
    return frozenset(pairs | {(other, one) for one, other in pairs})


_CONFUSED = _neighbours()
_ENDINGS = {
    ending: meaning
    for meaning, endings in {
        "": ("",),
        "done": ("ed", "en"),
        "doing": ("ing",),
        "doer": ("er", "or", "ar"),
        "like": ("y", "al", "ic", "ish", "ful", "ly"),
        "can": ("able", "ible"),
        "lacks": ("less",),
        "person": ("ist",),
    }.items()
    for ending in endings
}
"""Endings, to what they make of a word."""


def most_cost(length: int, known: bool = True) -> int:
    """The greatest cost of a slip in a word of this length; 0 for none."""
    table = _COST_BY_LENGTH_OF_KNOWN if known else _COST_BY_LENGTH
    return max((cost for least, cost in table if length >= least), default=0)


def slip_cost(typed: str, meant: str, known: bool = False) -> int:
    """How unlikely it is that `meant` was typed as `typed`: 1 a usual slip, to 3; 0 when it can't be one.

    Words with digits never are a slip. `known`: `meant` is known to be a word.
    """
    limit = most_cost(len(meant), known)
    if not limit or typed == meant or abs(len(typed) - len(meant)) > 2 or not (typed.isalpha() and meant.isalpha()):
        return 0
    distance = OSA.distance(typed, meant, score_cutoff=2)
    if distance > 2:
        return 0
    cost = _cost_of_one(typed, meant) if distance < 2 else 3 + (typed[0] != meant[0])
    return cost if cost <= limit else 0


def _cost_of_one(typed: str, meant: str) -> int:
    place = next((at for at, (one, other) in enumerate(zip(typed, meant, strict=False)) if one != other), None)
    if place is None:
        place = min(len(typed), len(meant))
    at_edge = place == 0
    if len(typed) == len(meant):
        swapped = typed[place : place + 2] == meant[place : place + 2][::-1] and len(typed[place:]) > 1
        usual = swapped or (typed[place], meant[place]) in _CONFUSED
        at_edge |= not swapped and place == len(typed) - 1
    elif len(typed) > len(meant):
        extra, around = typed[place], typed[max(0, place - 1) : place] + typed[place + 1 : place + 2]
        usual = not at_edge and any(extra == other or (extra, other) in _CONFUSED for other in around)
        at_edge = False
    else:
        usual = True
    return 1 + (not usual) + at_edge


def differ_in_meaning(typed: str, meant: str, strange: bool) -> bool:
    """Whether two words in the singular mean different things, however alike they look: sizes, colours, negations
    (lined, unlined), forms of one word (heated, heater). `strange`: `typed` is not known to be a word."""
    if typed in vocabulary.PROTECTED or (meant in vocabulary.NEGATIONS and not strange):
        return True
    longer, shorter = (typed, meant) if len(typed) > len(meant) else (meant, typed)
    if longer.endswith(shorter) and longer[: len(longer) - len(shorter)] in vocabulary.NEGATING:
        return True
    ends = _ends(meant)
    forms = ((stem, meaning) for stem, meaning in _ends(typed).items() if not strange or len(typed) > len(stem) + 1)
    return any(ends.get(stem, meaning) != meaning for stem, meaning in forms)


def _ends(word: str) -> dict[str, str]:
    """Each stem that the word may have, to what its ending makes of it; the longest ending decides."""
    return {
        word[: len(word) - len(ending)].removesuffix("e"): meaning
        for ending, meaning in _ENDINGS.items()
        if word.endswith(ending) and len(word) - len(ending) >= 3
    }
