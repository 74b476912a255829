"""What is no keyword: links, phone numbers, ids, keyboard noise, spam, and what the shop's policy blocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.failure import Failure
from scorers.keywords import vocabulary
from scorers.keywords.intent import is_intent
from scorers.keywords.reading import Words, singular, words
from streams.folding import fold

MOST_WORDS = 14
MOST_REPEATS = 3
"""A word so often in one keyword is spam."""

_LINK = re.compile(r"https?:|www\.|\b[a-z0-9-]{2,}\.(?:com|net|org|info|biz|co|io|de|uk|fr|eu|shop|store)\b")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_PHONE = re.compile(r"(?<![\w.])(?:\+?\d{1,3}[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[\s.-])\d{3}[\s.-]?\d{4}(?!\w)|\+\d{9,14}\b")
_ASIN = re.compile(r"\bb0(?=[a-z0-9]*\d)[a-z0-9]{8}\b")
_NUMBER_ID = re.compile(r"(?<![\w.])\d{8}(?:\d{4,6})?(?![\w.])|\b\d{3}-\d{7}-\d{7}\b")
_LONG_ID = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b|\b(?=\w*\d)(?=\w*[a-z])\w{16,}\b")


class BadBlockList(Failure):
    """The block list cannot be read. The text says why."""

    exit_code = 2


@dataclass(frozen=True)
class Filters:
    """The shop's policy."""

    blocked: tuple[Words, ...] = ()
    """Words and phrases that no keyword may hold, in the singular."""
    most_characters: int = 80

    def reason(self, folded: str, typed: Words) -> str:
        """Why the text is no keyword; empty when it is one. Judged by itself, without the corpus."""
        if not typed:
            return "no word"
        if "@" in folded and _MAIL.search(folded):
            return "mail address"
        if _LINK.search(folded):
            return "link"
        if not folded.isalpha():
            if _PHONE.search(folded):
                return "phone number"
            if _ASIN.search(folded) or _NUMBER_ID.search(folded) or _LONG_ID.search(folded):
                return "identifier"
        if len(folded) > self.most_characters or len(typed) > MOST_WORDS:
            return "too long"
        if len(set(typed)) <= len(typed) + 1 - MOST_REPEATS and _repeats(typed):
            return "repeated words"
        if folded in vocabulary.NAVIGATION or is_intent(typed):
            return "no product"
        if self.blocked and _blocks(self.blocked, tuple(map(singular, typed))):
            return "blocked"
        return ""


def read_block_list(path: Path) -> tuple[Words, ...]:
    """Words and phrases of a text file, one a line; # begins a comment.

    Raises:
        BadBlockList: there is no such file, or it is not text.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadBlockList(f"block list {path}: {error}; expected is text, a word or phrase a line") from None
    return phrases(line.partition("#")[0] for line in lines)


def phrases(texts: Iterable[str]) -> tuple[Words, ...]:
    """Texts as words in the singular, those without any left out."""
    return tuple(tuple(map(singular, typed)) for text in texts if (typed := words(fold(text))))


def _repeats(typed: Words) -> bool:
    counts = Counter(word for word in typed if word not in vocabulary.STOP_WORDS)
    return max(counts.values(), default=0) >= MOST_REPEATS


def _blocks(phrases: Iterable[Words], typed: Words) -> bool:
    return any(
        typed[start : start + len(phrase)] == phrase
        for phrase in phrases
        if phrase[0] in typed
        for start in range(len(typed) - len(phrase) + 1)
    )
