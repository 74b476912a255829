"""The keywords that would truly sell an item best, by the simulator's truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.failure import Failure
from scorers.keywords.table import Keyword

TOP = 50


class NoTruth(Failure):
    """The history has no truth to judge by."""

    exit_code = 2


@dataclass(frozen=True)
class TrueTop:
    """Each promoted item's best concepts, by truly expected purchases as of its campaign's start."""

    best: dict[str, set[str]]
    """Item -> its `TOP` best concepts, fewer when fewer have any value."""
    _concept_of_text: Mapping[str, str]

    def concepts(self, keywords: Iterable[Keyword]) -> dict[str, str]:
        """Canonical keyword -> concept; a keyword that names none stands for itself."""
        return {one.canonical: self._concept_of_text.get(one.text, one.canonical) for one in keywords}


def true_top(folder: Path, items: Iterable[str]) -> TrueTop:
    """
    Raises:
        NoTruth: `folder` is no history of the simulator.
    """
    if not (folder / "truth.parquet").exists():
        raise NoTruth(f"{folder / 'truth.parquet'} is missing: only a simulated history knows its truth")
    value = "expected_purchases_at_start"
    values = (
        pl.scan_parquet(folder / "truth.parquet")
        .filter(pl.col("item").is_in(list(items)) & (pl.col(value) > 0))
        .group_by("item", "canonical")
        .agg(pl.col(value).sum())
        .sort("item", value, "canonical", descending=[False, True, False])
        .group_by("item", maintain_order=True)
        .agg(pl.col("canonical").head(TOP))
        .collect()
    )
    concepts = dict(pl.read_parquet(folder / "keywords_truth.parquet").select("text", "canonical").iter_rows())
    return TrueTop({item: set(best) for item, best in values.iter_rows()}, concepts)
