"""The whole proof: every line with its target, its figure and whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from infra.steps import Steps
from scorers.experiments.validation.agreement import agreement
from scorers.experiments.validation.coverage import coverage
from scorers.experiments.validation.error_rates import error_rates
from scorers.experiments.validation.lines import ERROR, Result, as_rows
from scorers.experiments.validation.looks import looks
from scorers.experiments.validation.markets import markets
from scorers.experiments.validation.mismatch import mismatch
from scorers.experiments.validation.reached_power import reached_power

Part = Callable[[np.random.Generator, int, int], Iterator[Result]]

PARTS: dict[str, Part] = {
    "vectorised formulas against the library": agreement,
    "false positives": error_rates,
    "power": reached_power,
    "coverage": coverage,
    "sample-ratio mismatch": lambda rng, replicates, _: mismatch(rng, 10 * replicates),
    "looks before the end": looks,
    "whole loop on simulated markets": markets,
}
"""Each from a random generator, a number of replicates and sellers an arm."""


def validate(replicates: int, sellers: int, seed: int, steps: Steps) -> list[dict[str, object]]:
    """All lines as plain data. Each part has a generator of its own, so that no part's figures depend on another's."""
    results: list[Result] = []
    for place, (name, part) in enumerate(PARTS.items()):
        with steps.step(name) as advance:
            for result in part(np.random.default_rng([seed, place]), replicates, sellers):
                results.append(result)
                advance(len(results), len(results) + 1)
    return as_rows(results)


def validate_command(replicates: int, sellers: int, seed: int, out: Path) -> bool:
    """Run the proof, write it, print it. Whether every line is met."""
    steps = Steps()
    rows = validate(replicates, sellers, seed, steps)
    met = all(row["met"] is not False for row in rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "replicates": replicates,
        "sellers_an_arm": sellers,
        "seed": seed,
        "error_over_all_lines": ERROR,
        "met": met,
        "seconds": {name: round(seconds, 1) for name, seconds in steps.seconds.items()},
        "lines": rows,
    }
    out.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2))
    table = Table("", "line", "target", "figure", "design", box=None)
    for row in rows:
        mark = {True: "yes", False: "NO", None: ""}[row["met"]]  # type: ignore[index]
        table.add_row(mark, str(row["name"]), str(row["target"] or ""), f"{row['figure']:.4g}", str(row["note"]))
    Console().print(table)
    return met
