"""The judgement: agreement with known truth on four corpora, hard negatives by kind, and what each step adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from scorers.keywords.cleaner import Rules, weight_of
from scorers.keywords.dictionary import RAW, build
from scorers.keywords.evidence import Evidence
from scorers.keywords.filters import Filters
from scorers.keywords.intent import without_intent
from scorers.keywords.judgement import cases, heldout
from scorers.keywords.judgement.measures import Agreement, agreement
from scorers.keywords.judgement.noise import noisy
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.reading import Words, key, words
from streams.folding import fold
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
    """How one corpus was cleaned."""

    corpus: str
    agreement: Agreement
    steps: dict[str, Agreement]
    """Agreement with the steps up to the one named."""
    ways: dict[str, float]
    """Way of writing to the share of such texts that lie with their keyword as it should be written."""
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
    """Texts with what is true of them."""

    name: str
    table: pl.DataFrame
    """text, truth (the keyword as it should be written), volume, way (of writing), junk (it is no keyword)."""


def simulated(seed: int, count: int) -> Corpus:
    """The market simulator's spellings; volumes as its searches fall."""
    rng = np.random.default_rng([seed, 8])
    concepts = make_concepts(rng, make_catalogue(rng, max(200, count // 8), 0, 1), count // 4)
    keywords = make_keywords(rng, concepts, count)
    searched = rng.choice(len(concepts), 20 * count, p=concepts.weight)
    volumes = np.maximum(1, np.bincount(keywords.typed(rng, searched), minlength=len(keywords)))
    truth = [concepts.text[concept] for concept in keywords.concept.tolist()]
    junk = concepts.shelf[keywords.concept] < 0
    table = {"text": keywords.text, "truth": truth, "volume": volumes, "junk": junk}
    return Corpus("simulator", pl.DataFrame(table).with_columns(way=pl.lit("variant")))


def noise(seed: int, count: int) -> Corpus:
    """About `count` texts of real words with a second set of noise."""
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
    return _typed("noise", rng, [(text, base, "variant") for text, base in texts.items()])


def held_out(seed: int, count: int) -> Corpus:
    """About `count` texts with words and noise that the cleaner was not made with."""
    rng = np.random.default_rng([seed, 11])
    return _typed("held out", rng, heldout.corpus(rng, count))


def without(corpus: Corpus, way: str) -> Corpus:
    """The corpus without one way of writing."""
    return Corpus(f"{corpus.name}, but for {way}", corpus.table.filter(pl.col("way") != way))


def _keyword(rng: np.random.Generator) -> str:
    parts = [str(rng.choice(cases.NOUNS))]
    count = int(rng.choice([0, 1, 2], p=[0.2, 0.6, 0.2]))
    for qualifier in rng.choice(cases.QUALIFIERS, count, replace=False).tolist():
        parts = [*parts, qualifier] if qualifier.startswith(("with", "for")) else [qualifier, *parts]
    return " ".join([str(rng.choice(cases.BRANDS)), *parts] if rng.random() < 0.5 else parts)


def _typed(name: str, rng: np.random.Generator, texts: list[tuple[str, str, str]]) -> Corpus:
    """The right spelling is typed 20 to 200 times, another way a tenth of that."""
    volumes = [int(rng.integers(20, 200) if text == truth else rng.integers(1, 20)) for text, truth, _ in texts]
    table = pl.DataFrame(texts, schema=["text", "truth", "way"], orient="row")
    return Corpus(name, table.with_columns(pl.Series("volume", volumes), junk=pl.lit(False)))


def judge(corpus: Corpus, known: Lexicon) -> Judgement:
    """Clean a corpus and compare with the truth."""
    table = corpus.table
    dictionary = build(_raw(table), Filters(), known, 1, cleared=True)
    caught = dictionary.entries.select("text", "key", caught=pl.col("junk").is_not_null())
    judged = table.join(caught, on="text", maintain_order="left")
    real = judged.filter(~pl.col("junk")).with_columns(found=pl.coalesce("key", pl.format("~{}", "text")))
    right = real.select(truth="text", right="found").unique("truth")
    ways = real.join(right, on="truth").group_by("way").agg((pl.col("found") == pl.col("right")).mean()).sort("way")
    truth, texts = real.get_column("truth").to_list(), real.get_column("text").to_list()
    return Judgement(
        corpus=corpus.name,
        agreement=agreement(truth, real.get_column("found").to_list()),
        steps=_steps(texts, real.get_column("volume").to_list(), truth, dictionary.rules),
        ways=dict(ways.iter_rows()),
        junk={
            "texts": int(judged.get_column("junk").sum()),
            "caught": int(judged.filter("junk").get_column("caught").sum()),
            "keywords caught": int(real.get_column("caught").sum()),
        },
    )


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


def hard_negatives(around: Corpus, known: Lexicon) -> dict[str, Apart]:
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
    entries = build(_raw(table), Filters(), known, 1, cleared=True).entries
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
