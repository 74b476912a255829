"""The proof by simulation, small. `keypulse experiment validate` runs it at full size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scorers.experiments.validation.cells import cells
from scorers.experiments.validation.lines import Line, as_rows
from scorers.experiments.validation.run import validate_command


def test_every_line_of_a_small_proof_is_met(tmp_path: Path) -> None:
    out = tmp_path / "experiments.json"
    assert validate_command(replicates=500, sellers=400, seed=1, out=out)
    written = json.loads(out.read_text())
    assert written["met"]
    assert all(row.keys() >= {"name", "target", "figure", "met"} for row in written["lines"])
    names = " ".join(row["name"] for row in written["lines"])
    for part in ("A/A", "ignoring", "power", "coverage", "complier", "mismatch", "daily looks", "tea-tasting"):
        assert part in names


@pytest.mark.parametrize(
    ("should", "hits", "met"),
    [
        ("equal", 50, True),
        ("equal", 120, False),
        ("equal", 10, False),
        ("at most", 0, True),
        ("at most", 120, False),
        ("at least", 120, True),
        ("at least", 10, False),
        ("above", 120, True),
        ("above", 50, False),
        ("below", 10, True),
    ],
)
def test_a_line_is_met_when_chance_explains_the_difference(should: str, hits: int, met: bool) -> None:
    line = Line("line", should, 0.05, hits, 1_000)  # type: ignore[arg-type]
    assert line.met(lines=40) is met
    assert as_rows([line])[0]["met"] is line.met(lines=1)


def test_cells_are_the_sellers_that_they_say() -> None:
    of = cells(rate=0.2, campaigns=4.0, correlation=0.1)
    drawn = of.draw(np.random.default_rng(1), 5_000, 200)
    campaigns, bought = drawn.mean.mean(axis=0)
    assert campaigns == pytest.approx(of.baseline.campaigns_per_seller, rel=0.01)
    assert bought / campaigns == pytest.approx(0.2, rel=0.01)
    assert np.sqrt(drawn.covariance[:, 0, 0].mean()) == pytest.approx(
        of.baseline.campaigns_per_seller * of.baseline.campaigns_variation, rel=0.02
    )
