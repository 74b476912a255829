"""P(shown) of the held-out campaigns' candidates: what it rests on, and how near it comes to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from infra.settings import Settings
from scorers.evaluation.heldout import HeldOut
from scorers.evaluation.impressions import against_truth
from scorers.history import History
from scorers.ranking.features import Facts, Floats, Sums, in_longest_window
from scorers.ranking.impression_share import Vacancies, bid_strength, terms
from scorers.training.impression_share import vacancies


def auction_terms(cases: HeldOut, sums: Sums, facts: Facts, history: History, until: int, settings: Settings) -> Floats:
    """n x `terms` of the candidates, vacancies as they stood at `until` (ms), when training ended."""
    offers = {one.campaign: bid_strength(one, settings) for one in cases.campaigns}
    canonicals = cases.rows.get_column("canonical").to_list()
    return terms(
        np.array([offers[campaign] for campaign in cases.rows.get_column("campaign")]),
        facts.dense,
        facts.contradicted_words,
        in_longest_window(sums.pair, "impressions"),
        Vacancies(vacancies(history, until, settings).iter_rows()).of(canonicals),
        np.array([cases.keywords[canonical].rivals for canonical in canonicals], np.float64),
        settings,
    )


def judge_shown(cases: HeldOut, shown: Mapping[str, Floats], folder: Path) -> dict[str, Any]:
    """Ranker -> what `against_truth` says of its P(shown), as of each campaign's start; empty without a truth."""
    if not (folder / "truth.parquet").exists():
        return {}
    concepts = pl.read_parquet(folder / "keywords_truth.parquet").unique("text").rename({"canonical": "concept"})
    truth = pl.read_parquet(folder / "truth.parquet").select("item", "p_shown_at_start", concept="canonical")
    texts = [cases.keywords[canonical].text for canonical in cases.rows.get_column("canonical")]
    true = (
        cases.rows.select("item", text=pl.Series(texts, dtype=pl.String))
        .join(concepts, on="text", how="left", maintain_order="left")
        .join(truth, on=["item", "concept"], how="left", maintain_order="left")
        .get_column("p_shown_at_start")
        .fill_null(np.nan)
        .to_numpy()
    )
    return {ranker: against_truth(true, given, np.ones(len(given))) for ranker, given in shown.items()}
