"""Folding of a text: what a dictionary looks a keyword up by. Pure, and the same for ever."""

from __future__ import annotations

import html
import re
import unicodedata

_TRADE_MARKS = re.compile("[™®©℠]")
_LATIN = re.compile("[a-zA-Z]")
_LOOK_ALIKES = str.maketrans("аеорсухіјѕАВЕКМНОРСТХІ", "aeopcyxijsABEKMHOPCTXI")
"""Cyrillic letters that pass for Latin ones."""


def fold(text: str) -> str:
    """Unicode's compatible characters, case, accents, entities and trade marks folded away; spaces single."""
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        folded = unicodedata.normalize("NFKD", _TRADE_MARKS.sub(" ", text))
        text = "".join(char for char in folded if unicodedata.category(char) not in ("Mn", "Cf")).replace("⁄", "/")
        if _LATIN.search(text):
            text = text.translate(_LOOK_ALIKES)
    return " ".join(text.casefold().split())
