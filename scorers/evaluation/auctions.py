"""P(shown): of the held-out campaigns' candidates, and how it agrees with what came of the campaigns that followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from infra.settings import Settings
from scorers.evaluation.heldout import HeldOut
from scorers.evaluation.measures import ndcg
from scorers.history import History
from scorers.ranking.features import Facts, Floats, Sums, Vocabulary, in_longest_window
from scorers.ranking.impression_share import ImpressionShare, Vacancies, bid_strength, terms
from scorers.retrieval.matching import Matcher
from scorers.training.examination import Examination
from scorers.training.impression_share import chosen_rows, terms_of, vacancies


def auction_terms(cases: HeldOut, sums: Sums, facts: Facts, history: History, until: int, settings: Settings) -> Floats:
    """n x `terms` of the candidates, vacancies as they stood at `until` (ms), when training ended."""
    offers = {one.campaign: bid_strength(one, settings) for one in cases.campaigns}
    canonicals = cases.rows.get_column("canonical").to_list()
    return terms(
        np.array([offers[campaign] for campaign in cases.rows.get_column("campaign")]),
        facts.dense,
        facts.contradicted_words,
        facts.keyword_words,
        in_longest_window(sums.pair, "impressions"),
        Vacancies(vacancies(history, until, settings).iter_rows()).of(canonicals),
        np.array([cases.keywords[canonical].rivals for canonical in canonicals], np.float64),
        settings,
    )


def judge_auctions(
    history: History,
    until: int,
    learnt: ImpressionShare,
    looked: Examination,
    matcher: Matcher,
    vocabulary: Vocabulary,
    settings: Settings,
) -> dict[str, Any]:
    """What sellers chose for campaigns created since `until` (ms), and how often that was shown; needs no truth.

    Weights ("learnt", "defaults") -> `campaigns` that were shown at all, `observed_to_predicted`, `log_loss` a
    page, and `ndcg_at_10` of the impressions: how well the weights order a campaign's own keywords, given the pages
    that there were. Empty where nothing was shown.
    """
    fresh = [one.campaign for one in history.campaigns if one.starts_at > until]
    rows = chosen_rows(history, until, history.span[1] + 1, looked, settings)
    rows = rows.filter(pl.col("campaign").is_in(fresh))
    pages = rows.get_column("pages").cast(pl.Float64).to_numpy()
    shown = np.minimum(rows.get_column("shown").to_numpy(), pages)
    if not shown.any():
        return {}
    columns = terms_of(rows, history, until, matcher, vocabulary, settings)
    campaigns = rows.get_column("campaign").to_numpy()
    found = {}
    for name, weights in (("learnt", learnt), ("defaults", ImpressionShare())):
        predicted = np.clip(weights.probability(columns), 1e-7, 1 - 1e-7)
        losses = -(shown * np.log(predicted) + (pages - shown) * np.log1p(-predicted))
        expected = predicted * pages
        ordered = [
            ndcg(shown[own][np.argsort(-expected[own], kind="stable")].tolist(), shown[own].tolist())
            for campaign in np.unique(campaigns)
            if shown[own := campaigns == campaign].any()
        ]
        found[name] = {
            "campaigns": len(ordered),
            "observed_to_predicted": float(shown.sum() / expected.sum()),
            "log_loss": float(losses.sum() / pages.sum()),
            "ndcg_at_10": float(np.mean(ordered)),
        }
    return found
