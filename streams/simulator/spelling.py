"""How people write a keyword: plurals, word order, units, stop words, junk words, slips of the finger."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

_JUNK_BEFORE = ("buy", "best", "shop", "find", "top")
_JUNK_AFTER = ("online", "deals", "near me", "2024", "free shipping", "for sale", "!!")
_NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxfrghjoklknmpowtdyibecux", strict=True))
_UNIT = re.compile(r"(\d+) (gb|tb|mm|l|lb|inch|cup|person|player)\b")


def variant(rng: np.random.Generator, text: str) -> str:
    """One way in which a shopper may write `text`; may be `text` itself when the way does not apply."""
    ways = (_plural, _order, _misspelt, _unit, _stop_word, _junk, _case)
    chosen = rng.choice(len(ways), p=(0.2, 0.16, 0.3, 0.1, 0.08, 0.12, 0.04))
    written = ways[chosen](rng, text)
    return _misspelt(rng, written) if rng.random() < 0.08 else written


def _plural(rng: np.random.Generator, text: str) -> str:
    """The other number of the last word that has one."""
    words = text.split()
    for place in reversed(range(len(words))):
        word = words[place]
        if not word.isalpha() or len(word) < 4:
            continue
        if word.endswith("s") and not word.endswith("ss"):
            words[place] = word[:-1]
        elif word.endswith(("x", "ch", "sh", "ss")):
            words[place] = word + "es"
        else:
            words[place] = word + "s"
        break
    return " ".join(words)


def _order(rng: np.random.Generator, text: str) -> str:
    words = text.split()
    cut = int(rng.integers(1, len(words))) if len(words) > 1 else 0
    return " ".join(words[cut:] + words[:cut])


def _misspelt(rng: np.random.Generator, text: str) -> str:
    """One slip in one word of five letters or more: swapped, dropped, doubled or neighbouring key."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long:
        return text
    place = int(rng.choice(long))
    word = words[place]
    at = int(rng.integers(1, len(word) - 1))
    slips: tuple[Callable[[], str], ...] = (
        lambda: word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        lambda: word[:at] + word[at + 1 :],
        lambda: word[:at] + word[at] + word[at:],
        lambda: word[:at] + _NEIGHBOURS.get(word[at], word[at]) + word[at + 1 :],
    )
    words[place] = slips[rng.integers(0, len(slips))]()
    return " ".join(words)


def _unit(rng: np.random.Generator, text: str) -> str:
    join = str(rng.choice(["", "-"]))
    return _UNIT.sub(lambda found: f"{found[1]}{join}{found[2]}", text)


def _stop_word(rng: np.random.Generator, text: str) -> str:
    words = text.split()
    if len(words) < 2:
        return text
    return str(
        rng.choice([f"{words[-1]} with {' '.join(words[:-1])}", f"{' '.join(words[1:])} in {words[0]}", f"the {text}"])
    )


def _junk(rng: np.random.Generator, text: str) -> str:
    if rng.random() < 0.5:
        return f"{rng.choice(_JUNK_BEFORE)} {text}"
    return f"{text} {rng.choice(_JUNK_AFTER)}"


def _case(rng: np.random.Generator, text: str) -> str:
    return text.upper() if rng.random() < 0.4 else text.title()
