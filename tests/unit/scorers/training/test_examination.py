"""How places are looked at: recovered from clicks in which good results stand high."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from scorers.training.examination import Examination, examination


def log(decay: float, seed: int, rows: int = 200_000) -> pl.DataFrame:
    """Pairs that are clicked more stand higher, but the same pair at several places."""
    rng = np.random.default_rng(seed)
    pair = rng.integers(0, 2_000, rows)
    good = rng.normal(size=2_000)
    position = np.clip(np.round(5 - 2 * good[pair] + rng.normal(0, 1.5, rows)), 1, 10).astype(np.int64)
    p_click = position**-decay / (1 + np.exp(2 - good[pair]))
    return pl.DataFrame(
        {
            "item": pair,
            "canonical": pair % 7,
            "campaign": ["c"] * rows,
            "position": position,
            "clicked": rng.random(rows) < p_click,
        }
    )


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.3])
def test_the_decay_is_recovered(decay: float) -> None:
    shown = log(decay, 1)
    found = examination(shown)
    assert found.decay == pytest.approx(decay, abs=4 * max(found.standard_error, 0.01))
    assert found.standard_error < 0.06
    if decay:
        naive = examination(shown.with_columns(all=1), pair=["all"])
        assert abs(naive.decay - decay) > 3 * abs(found.decay - decay)


def test_nothing_is_corrected_where_nothing_can_be_learnt() -> None:
    once = pl.DataFrame({"item": ["a"], "canonical": ["k"], "campaign": ["c"], "position": [3], "clicked": [1]})
    assert examination(once).decay == 0
    np.testing.assert_array_equal(examination(once).at(np.array([1, 5])), [1, 1])


def test_a_place_that_is_not_known_counts_as_the_top() -> None:
    np.testing.assert_allclose(Examination(0.5).at(np.array([1, 4, np.nan])), [1, 0.5, 1])


def test_rows_may_stand_for_several() -> None:
    shown = log(0.7, 2, rows=20_000)
    counted = shown.group_by(pl.exclude("weight")).agg(weight=pl.len())
    assert len(counted) < len(shown)
    assert examination(counted).decay == pytest.approx(examination(shown).decay, abs=1e-4)
