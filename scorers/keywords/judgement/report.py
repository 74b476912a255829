"""The report of a judgement, as JSON and on the screen."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from infra.steps import Steps
from scorers.keywords.judgement import cases, heldout
from scorers.keywords.judgement.judge import (
    Apart,
    Judgement,
    Target,
    hard_negatives,
    held_out,
    judge,
    noise,
    simulated,
    targets,
    without,
)
from scorers.keywords.lexicon import lexicon


class Report(msgspec.Struct, frozen=True):
    """What `keypulse keywords evaluate` writes."""

    seed: int
    texts: int
    judgements: list[Judgement]
    hard_negatives: dict[str, Apart]
    """With no brand known."""
    hard_negatives_with_brands: dict[str, Apart]
    """With the brands of a table of products known."""
    targets: list[Target]


def evaluate(seed: int, texts: int, steps: Steps) -> Report:
    """Judge the cleaner on corpora of about `texts` texts each; brands are known, as products name them."""
    known = lexicon((*cases.BRANDS, *heldout.BRANDS))
    unseen = held_out(seed, texts)
    judgements = []
    for corpus in (simulated(seed, texts), noise(seed, texts), unseen, without(unseen, "asked")):
        with steps.step(corpus.name):
            judgements.append(judge(corpus, known))
    around = noise(seed, texts)
    pairs = cases.HARD_NEGATIVES["brand"]
    with steps.step("hard negatives"):
        apart = hard_negatives(around, lexicon())
        with_brands = hard_negatives(around, lexicon(name for pair in pairs for name in pair))
    return Report(seed, texts, judgements, apart, with_brands, targets(judgements))


def evaluate_command(seed: int, texts: int, out: Path) -> None:
    """Judge, write the report, and show it."""
    report = evaluate(seed, texts, Steps())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    table = Table("corpus", "precision", "recall", "B-cubed precision", "recall ", title=str(out))
    for one in report.judgements:
        told = one.agreement
        figures = (told.precision, told.recall, told.bcubed_precision, told.bcubed_recall)
        table.add_row(one.corpus, *(f"{figure:.4f}" for figure in figures))
    for kind, apart in report.hard_negatives_with_brands.items():
        table.add_row(f"apart: {kind}", f"{apart.pairs - len(apart.together)}/{apart.pairs}")
    Console().print(table)
