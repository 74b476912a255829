"""A second set of ways to write a keyword: written after the first version of the cleaner, then used to better it.

Where the simulator's slips stay inside long words, these hit any letter of any word; besides, people write as they
speak, lose or add spaces, ask and decorate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Write = Callable[[np.random.Generator, str], str]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_KEYS = {
    "a": "qwsz", "b": "vghn", "c": "xdfv", "d": "serfcx", "e": "wsdr", "f": "drtgvc", "g": "ftyhbv", "h": "gyujnb",
    "i": "ujko", "j": "huikmn", "k": "jiolm", "l": "kop", "m": "njk", "n": "bhjm", "o": "iklp", "p": "ol", "q": "wa",
    "r": "edft", "s": "awedxz", "t": "rfgy", "u": "yhji", "v": "cfgb", "w": "qase", "x": "zsdc", "y": "tghu",
    "z": "asx",
}  # fmt: skip
_SOUNDS = (
    ("ph", "f"), ("ck", "k"), ("ee", "ea"), ("ea", "ee"), ("ai", "ay"), ("ou", "ow"), ("kn", "n"), ("wh", "w"),
    ("tch", "ch"), ("qu", "kw"), ("x", "ks"), ("er", "or"), ("le", "el"), ("ie", "ei"), ("y", "i"), ("c", "s"),
    ("s", "z"), ("a", "e"), ("e", "i"), ("o", "u"), ("i", "y"), ("able", "ible"), ("ance", "ence"),
)  # fmt: skip
_ASKING = (
    "any {}", "{} please", "show me {}", "where to buy {}", "i need a {}", "looking for {}", "{} buy now", "{} store",
    "{} discount", "{} lowest price", "{} for sale", "best price for {}", "{} shop online", "{} with free delivery",
)  # fmt: skip
_DECORATED = ("{}!!!", "* {} *", "{} ❤️", "“{}”", "{}...", "#{}", "({})", "{} ✅", "~{}~", "{} ?")
_UNITS = {"gb": ("gb", " gigabytes", "-gb"), "inch": (" inches", '"', "-inch"), "pack": ("-pack", "pk"),
          "oz": ("oz", " ounces"), "ft": ("ft", " feet", "'"), "mm": ("mm", " millimeters"), "l": ("l", " liters"),
          "w": ("w", " watts"), "person": ("-person", "person")}  # fmt: skip
_NUMBER_WORDS = dict(zip("123456", "one two three four five six".split(), strict=True))


def noisy(rng: np.random.Generator, text: str) -> str:
    """One of the ways to write `text`, or two in one case of ten; may be `text` where a way does not apply."""
    written = _WAYS[rng.choice(len(_WAYS), p=_SHARES)](rng, text)
    return _WAYS[rng.choice(len(_WAYS), p=_SHARES)](rng, written) if rng.random() < 0.1 else written


def _in_a_word(change: Callable[[np.random.Generator, str], str], shortest: int = 4) -> Write:
    def write(rng: np.random.Generator, text: str) -> str:
        words = text.split(" ")
        places = [place for place, word in enumerate(words) if word.isalpha() and len(word) >= shortest]
        if not places:
            return text
        place = int(rng.choice(places))
        words[place] = change(rng, words[place])
        return " ".join(words)

    return write


def _replaced(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word)))
    return word[:at] + str(rng.choice(list(_LETTERS))) + word[at + 1 :]


def _inserted(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word) + 1))
    return word[:at] + str(rng.choice(list(_LETTERS))) + word[at:]


def _dropped(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word)))
    return word[:at] + word[at + 1 :]


def _swapped(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word) - 1))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _slipped(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word)))
    return word[:at] + str(rng.choice(list(_KEYS.get(word[at], word[at])))) + word[at + 1 :]


def _as_it_sounds(rng: np.random.Generator, word: str) -> str:
    fitting = [(said, written) for said, written in _SOUNDS if said in word[1:]]
    if not fitting:
        return word
    said, written = fitting[int(rng.integers(len(fitting)))]
    return word[0] + word[1:].replace(said, written, 1)


def _doubled_or_not(rng: np.random.Generator, word: str) -> str:
    single = re.sub(r"(.)\1", r"\1", word, count=1)
    at = int(rng.integers(1, len(word)))
    return single if single != word else word[:at] + word[at - 1] + word[at:]


def _number(rng: np.random.Generator, word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word + ("'s" if rng.random() < 0.3 else "s")


def _cut(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(2, len(word) - 1))
    return f"{word[:at]} {word[at:]}"


def _glued(rng: np.random.Generator, text: str) -> str:
    gaps = [found.start() for found in re.finditer(r"(?<=[a-z]) (?=[a-z])", text)]
    if not gaps:
        return text
    at = int(rng.choice(gaps))
    return text[:at] + str(rng.choice(["", "-", "_", "/"], p=[0.5, 0.3, 0.1, 0.1])) + text[at + 1 :]


def _shuffled(rng: np.random.Generator, text: str) -> str:
    """Parts in another order; a number stays with its unit."""
    return " ".join(rng.permutation(re.findall(r"\d+ [a-z]+|\S+", text)).tolist())


def _asked(rng: np.random.Generator, text: str) -> str:
    return str(rng.choice(_ASKING)).format(text)


def _decorated(rng: np.random.Generator, text: str) -> str:
    written = str(rng.choice(_DECORATED)).format(text)
    return str(rng.choice([written, written.upper(), written.title(), _wide(written)], p=[0.4, 0.2, 0.3, 0.1]))


def _wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _measured(rng: np.random.Generator, text: str) -> str:
    def write(found: re.Match[str]) -> str:
        number, unit = found.groups()
        if number in _NUMBER_WORDS and unit in ("pack", "person") and rng.random() < 0.4:
            return f"{_NUMBER_WORDS[number]} {unit}"
        return number + str(rng.choice(_UNITS[unit]))

    return re.sub(rf"\b(\d+) ({'|'.join(_UNITS)})\b", write, text)


def _filled(rng: np.random.Generator, text: str) -> str:
    words = text.split(" ")
    at = int(rng.integers(len(words)))
    return " ".join([*words[:at], str(rng.choice(["the", "a", "and"])), *words[at:]])


_WAYS_AND_SHARES: tuple[tuple[Write, float], ...] = (
    (_in_a_word(_replaced), 0.05),
    (_in_a_word(_inserted), 0.05),
    (_in_a_word(_dropped), 0.08),
    (_in_a_word(_swapped), 0.08),
    (_in_a_word(_slipped), 0.08),
    (_in_a_word(_as_it_sounds), 0.08),
    (_in_a_word(_doubled_or_not), 0.08),
    (_in_a_word(_number), 0.10),
    (_in_a_word(_cut, shortest=6), 0.05),
    (_glued, 0.07),
    (_shuffled, 0.08),
    (_asked, 0.07),
    (_decorated, 0.06),
    (_measured, 0.04),
    (_filled, 0.03),
)
_WAYS = [way for way, _ in _WAYS_AND_SHARES]
_SHARES = np.array([share for _, share in _WAYS_AND_SHARES])
