"""How well the cleaner does, on smaller corpora than `keypulse keywords evaluate` takes."""

from __future__ import annotations

import pytest

from scorers.keywords.judgement import cases, heldout
from scorers.keywords.judgement.judge import (
    TARGET_PRECISION,
    TARGET_RECALL,
    hard_negatives,
    held_out,
    judge,
    noise,
    simulated,
    without,
)
from scorers.keywords.judgement.measures import agreement
from scorers.keywords.lexicon import lexicon

KNOWN = lexicon((*cases.BRANDS, *heldout.BRANDS))
TEXTS = 6_000


def test_agreement_by_pairs_and_by_texts() -> None:
    found = agreement(["a", "a", "a", "b", "b"], ["x", "x", "y", "y", "z"])
    assert (found.precision, found.recall) == (1 / 2, 1 / 4)
    assert found.bcubed_precision == pytest.approx((1 + 1 + 1 / 2 + 1 / 2 + 1) / 5)
    assert found.bcubed_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5)


def test_agreement_where_nothing_goes_together() -> None:
    alone = agreement(["a", "b"], ["a", "b"])
    assert (alone.precision, alone.recall, alone.clusters) == (1.0, 1.0, 2)
    assert agreement([], []).texts == 0


def test_the_simulators_spellings_find_together() -> None:
    judgement = judge(simulated(2, TEXTS), KNOWN)
    assert judgement.agreement.precision >= TARGET_PRECISION
    assert judgement.agreement.recall >= TARGET_RECALL
    assert judgement.agreement.bcubed_precision >= TARGET_PRECISION
    assert judgement.junk["caught"] >= 0.7 * judgement.junk["texts"]
    assert judgement.junk["keywords caught"] == 0


def test_other_words_and_other_noise_find_together_too() -> None:
    judgement = judge(without(held_out(2, TEXTS), "asked"), KNOWN)
    assert judgement.agreement.precision >= TARGET_PRECISION
    assert judgement.agreement.recall >= TARGET_RECALL


def test_every_step_brings_texts_together_that_belong_together() -> None:
    steps = judge(held_out(3, TEXTS), KNOWN).steps
    recalls = [step.recall for step in steps.values()]
    assert recalls[0] == 0
    assert recalls[2:] == sorted(recalls[2:])
    assert recalls[-1] > recalls[1] + 0.5


def test_hard_negatives_stay_apart() -> None:
    names = [name for pair in cases.HARD_NEGATIVES["brand"] for name in pair]
    apart = hard_negatives(noise(2, TEXTS), lexicon(names))
    for kind in ("model", "size", "color", "negation", "relation"):
        assert apart[kind].together == [], kind
    assert apart["brand"].share_apart >= 0.97
    assert apart["word"].share_apart >= 0.85
