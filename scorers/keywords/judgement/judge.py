"""The judgement: agreement with known truth on four corpora, hard negatives by kind, and what each step adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from scorers.keywords.cleaner import Rules, weight_of
from scorers.keywords.dictionary import RAW, build
from scorers.keywords.evidence import Evidence
from scorers.keywords.filters import Filters
from scorers.keywords.intent import without_intent
from scorers.keywords.judgement import cases
from scorers.keywords.judgement.measures import Agreement, agreement
from scorers.keywords.judgement.noise import noisy
from scorers.keywords.lexicon import Lexicon, lexicon
from scorers.keywords.reading import Words, fold, key, words
from streams.normal_form import normal_form
from streams.simulator.catalogue import make_catalogue
from streams.simulator.concepts import make_concepts
from streams.simulator.keywords import make_keywords

TARGET_PRECISION, TARGET_RECALL = 0.995, 0.95


class Target(msgspec.Struct, frozen=True):
    """A figure that is asked for."""

    name: str
    figure: float
    asked: float
    met: bool


class Judgement(msgspec.Struct, frozen=True):
    """How one corpus was cleaned. `steps`: agreement with the steps up to the one named."""

    corpus: str
    agreement: Agreement
    steps: dict[str, Agreement]
    junk: dict[str, int]
    """Texts that are no keyword, of these caught, and keywords that were caught by mistake."""


class Apart(msgspec.Struct, frozen=True):
    """Of one kind of hard negatives: pairs, and those that were wrongly put together."""

    pairs: int
    together: list[list[str]]

    @property
    def share_apart(self) -> float:
        return 1 - len(self.together) / self.pairs


@dataclass(frozen=True)
class Corpus:
    """Texts with their volume and their truth; `junk` is no keyword and stands in no truth."""

    name: str
    table: pl.DataFrame
    """text, truth, volume, junk."""


def simulated(seed: int, count: int) -> Corpus:
    """The market simulator's spellings; volumes as its searches fall."""
    rng = np.random.default_rng([seed, 8])
    catalogue = make_catalogue(rng, max(200, count // 8), 0, 1)
    concepts = make_concepts(rng, catalogue, count // 4)
    keywords = make_keywords(rng, concepts, count)
    typed = np.bincount(
        keywords.typed(rng, rng.choice(len(concepts), 20 * count, p=concepts.weight)), minlength=len(keywords)
    )
    truth = [concepts.text[concept] for concept in keywords.concept.tolist()]
    junk = concepts.shelf[keywords.concept] < 0
    return Corpus(
        "simulator", pl.DataFrame({"text": keywords.text, "truth": truth, "volume": np.maximum(1, typed), "junk": junk})
    )


def unseen_noise(seed: int, count: int) -> Corpus:
    """Real words, written in ways that were unknown when the cleaner was made: about `count` texts."""
    rng = np.random.default_rng([seed, 9])
    texts: dict[str, str] = {}
    seen: set[str] = set()
    while len(texts) < count:
        base = _keyword(rng)
        if (name := " ".join(sorted(base.split()))) in seen or base in texts:
            continue
        seen.add(name)
        texts[base] = base
        for _ in range(int(rng.integers(1, 8))):
            texts.setdefault(noisy(rng, base), base)
    return Corpus("unseen noise", _typed(rng, texts))


def misspellings(seed: int) -> Corpus:
    """Common misspellings of real words, each in several keywords."""
    rng = np.random.default_rng([seed, 10])
    texts: dict[str, str] = {}
    for line in cases.MISSPELLINGS.strip().splitlines():
        word, _, wrong = line.partition(": ")
        for around in rng.choice([one for one in cases.QUALIFIERS if one not in cases.MISSPELLINGS], 8, replace=False):
            base = f"{around} {word}" if not around.startswith(("for", "with")) else f"{word} {around}"
            texts[base] = base
            for spelling in wrong.split():
                if rng.random() < 0.3:
                    texts.setdefault(base.replace(word, spelling), base)
    return Corpus("misspellings", _typed(rng, texts))


def _keyword(rng: np.random.Generator) -> str:
    parts = [str(rng.choice(cases.NOUNS))]
    for qualifier in rng.choice(
        cases.QUALIFIERS, int(rng.choice([0, 1, 2], p=[0.2, 0.6, 0.2])), replace=False
    ).tolist():
        parts = [*parts, qualifier] if qualifier.startswith(("with", "for")) else [qualifier, *parts]
    return " ".join([str(rng.choice(cases.BRANDS)), *parts] if rng.random() < 0.5 else parts)


def _typed(rng: np.random.Generator, texts: Mapping[str, str]) -> pl.DataFrame:
    """The right spelling is typed 20 to 200 times, another way a tenth of that."""
    volumes = [
        int(rng.integers(20, 200)) if text == truth else int(rng.integers(1, 20)) for text, truth in texts.items()
    ]
    return pl.DataFrame(
        {"text": list(texts), "truth": list(texts.values()), "volume": volumes, "junk": [False] * len(texts)}
    )


def judge(corpus: Corpus, words_known: Lexicon) -> Judgement:
    """Clean a corpus and compare with the truth."""
    table = corpus.table
    dictionary = build(_raw(table), Filters(), words_known, 1, cleared=True)
    judged = table.join(
        dictionary.entries.select("text", "key", caught=pl.col("junk")), on="text", maintain_order="left"
    )
    real = judged.filter(~pl.col("junk"))
    found = real.select(pl.coalesce("key", pl.format("~{}", "text"))).to_series().to_list()
    junk = judged.filter("junk")
    counts = {
        "texts": len(junk),
        "caught": int(junk.get_column("caught").is_not_null().sum()),
        "keywords caught": int(real.get_column("caught").is_not_null().sum()),
    }
    truth, texts = real.get_column("truth").to_list(), real.get_column("text").to_list()
    steps = _steps(texts, real.get_column("volume").to_list(), truth, dictionary.rules)
    return Judgement(corpus.name, agreement(truth, found), steps, counts)


def _steps(texts: list[str], volumes: list[int], truth: list[str], rules: Rules) -> dict[str, Agreement]:
    """Agreement after each step, the later ones left out."""
    read = [words(fold(text)) for text in texts]

    def keys(rules: Rules, intent: bool) -> list[str]:
        rewritten = [rules.rewrite(typed) for typed in read]
        weights: dict[Words, float] = {}
        for typed, volume in zip(rewritten, volumes, strict=True):
            weights[typed] = weights.get(typed, 0.0) + weight_of(volume)
        evidence = Evidence(weights)
        return [key(without_intent(typed, evidence.weight) if intent else typed) for typed in rewritten]

    stages: dict[str, Callable[[], list[str]]] = {
        "as typed": lambda: list(texts),
        "normal form of the streams": lambda: [normal_form(text) for text in texts],
        "read": lambda: keys(Rules(), False),
        "intent": lambda: keys(Rules(), True),
        "spelling": lambda: keys(Rules(repairs=rules.repairs), True),
        "compounds": lambda: keys(rules, True),
    }
    return {name: agreement(truth, find()) for name, find in stages.items()}


def hard_negatives(around: Corpus, words_known: Lexicon) -> dict[str, Apart]:
    """Pairs that must stay apart, typed amid another corpus: the first of each often, the second seldom."""
    volumes = dict(around.table.select("text", "volume").iter_rows())
    pairs: dict[str, list[tuple[str, str]]] = {}
    for kind, told in cases.HARD_NEGATIVES.items():
        nouns = ("shoes", "speaker", "jacket", "watch", "case") if kind == "brand" else ("",)
        pairs[kind] = [(f"{one} {noun}".strip(), f"{other} {noun}".strip()) for one, other in told for noun in nouns]
        for one, other in pairs[kind]:
            volumes[one] = volumes.get(one, 0) + 100
            volumes[other] = volumes.get(other, 0) + 3
    table = pl.DataFrame({"text": list(volumes), "volume": list(volumes.values())})
    entries = build(_raw(table), Filters(), words_known, 1, cleared=True).entries
    found = dict(entries.select("text", "key").iter_rows())
    return {
        kind: Apart(len(told), [list(pair) for pair in told if found[pair[0]] and found[pair[0]] == found[pair[1]]])
        for kind, told in pairs.items()
    }


def _raw(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(
        "text", pl.col("volume").cast(pl.Int64), shoppers=pl.lit(None, pl.Int64), sellers_only=pl.lit(False)
    ).select(*RAW)


def targets(judgements: list[Judgement]) -> list[Target]:
    """What is asked for of every corpus."""
    return [
        Target(f"{one.corpus}: {name}", figure, asked, figure >= asked)
        for one in judgements
        for name, figure, asked in (
            ("precision of pairs", one.agreement.precision, TARGET_PRECISION),
            ("recall of pairs", one.agreement.recall, TARGET_RECALL),
        )
    ]


def known_words(with_names: bool) -> Lexicon:
    """The language, with or without the names of the real brands among the hard negatives."""
    brands = [name for pair in cases.HARD_NEGATIVES["brand"] for name in pair]
    return lexicon(brands if with_names else ())
