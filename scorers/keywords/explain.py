"""How a text became a keyword, step by step: the same functions that build the dictionary, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from scorers.keywords import spelling
from scorers.keywords.cleaner import Rules
from scorers.keywords.dictionary import Dictionary
from scorers.keywords.filters import Filters
from scorers.keywords.intent import without_intent
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key, words
from scorers.keywords.spelling import Speller
from streams.folding import fold
from streams.normal_form import normal_form


@dataclass(frozen=True)
class Step:
    """One step: what it did, what came out, and why."""

    name: str
    result: str
    why: str = ""


@dataclass(frozen=True)
class Explanation:
    """The steps, and where they led: the key, empty for junk."""

    steps: tuple[Step, ...]
    key: str
    canonical: str
    """What the text counts under."""


def explain(dictionary: Dictionary, text: str, filters: Filters, lexicon: Lexicon) -> Explanation:
    """How `text` is cleaned: as the dictionary has it, or as one would have it that knew the text."""
    folded = fold(text)
    typed = words(folded)
    entry = dictionary.entries.filter(pl.col("text") == text).row(0, named=True) if dictionary.knows(text) else None
    steps = [Step("folded", folded), Step("words", " | ".join(typed))]
    junk = entry["junk"] if entry else filters.reason(folded, typed)
    if junk:
        return Explanation((*steps, Step("filter", "no keyword", junk)), "", normal_form(text))
    rules = dictionary.rules if entry else _with_new(dictionary, typed, lexicon)
    for word in typed:
        if repair := rules.repairs.get(word):
            why = f"{repair.supported} of {repair.keywords} keywords with {word!r} are typed with {repair.meant!r} too"
            steps.append(Step("spelling", f"{word} -> {repair.meant}", why))
    mended = tuple(rules.repairs[word].meant if word in rules.repairs else word for word in typed)
    rewritten = rules.rewrite(typed)
    if rewritten != mended:
        steps.append(Step("compounds", " | ".join(rewritten), "as most write it"))
    wanted = without_intent(rewritten, _weight(dictionary, entry["key"] if entry else None))
    if wanted != rewritten:
        steps.append(Step("intent", " | ".join(wanted), "says that somebody wants to buy, not what"))
    found = key(wanted)
    steps.append(Step("key", found, "singular, units joined, stop words out, in alphabetical order"))
    return Explanation((*steps, *_cluster(dictionary, text, found)), found, dictionary.canonical(text))


def _with_new(dictionary: Dictionary, typed: Words, lexicon: Lexicon) -> Rules:
    """The rules, and repairs of words that the dictionary has never seen."""
    weights = dict(dictionary.vocabulary.select("word", "weight").iter_rows())
    texts = dict(dictionary.vocabulary.select("word", "texts").iter_rows())
    unseen = [word for word in typed if word not in weights and word not in dictionary.rules.repairs]
    suspects = Speller(weights, texts, lexicon).suspects(unseen)
    wanted = without_intent(dictionary.rules.rewrite(typed), _weight(dictionary, None))
    keys = set(dictionary.clusters.get_column("key"))
    rules = Rules(dict(dictionary.rules.repairs), dictionary.rules.joins, dictionary.rules.splits)
    rules.add(spelling.judge([wanted], suspects, keys, lambda text: dictionary.knows(" ".join(text)), lexicon), [])
    return rules


def _weight(dictionary: Dictionary, known: str | None) -> Callable[[Words], float]:
    """How much a keyword is typed. Of a text that the dictionary knows, its key is all that counts."""
    if known is not None:
        return lambda typed: float(key(typed) == known)
    volumes = dict(dictionary.clusters.select("key", "volume").iter_rows())
    return lambda typed: float(volumes.get(key(typed), 0))


def _cluster(dictionary: Dictionary, text: str, found: str) -> list[Step]:
    until = Step("new", f"counts under its normal form {normal_form(text)!r}", "until the next version")
    rows = dictionary.clusters.filter(pl.col("key") == found)
    if not len(rows):
        return [until]
    row = rows.row(0, named=True)
    told = f"{row['members']} texts, volume {row['volume']}"
    if row["shoppers"] is not None:
        told += f", {row['shoppers']} shoppers"
    steps = [Step("cluster", f"{row['id']!r}, shown as {row['text']!r}", told), Step("status", row["status"])]
    return steps if dictionary.knows(text) else [*steps, until]
