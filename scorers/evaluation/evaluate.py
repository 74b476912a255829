"""Is the bundle's ranker better than its baselines, on campaigns that training never saw?

Every ranker orders the same candidates of a campaign. They are judged twice: by the purchases that the campaign's
keywords brought (successful campaigns only; keywords that it didn't choose count as nothing, which favours popular
ones), and, where the market's truth is known, by what each keyword was truly worth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.offline import training_vectors
from feature_repo.vectors import METRICS
from infra.settings import DAY_MS, Settings
from scorers.evaluation.gains import Gains, purchases_gained, true_gains
from scorers.evaluation.heldout import HeldOut, check_nothing_leaked, held_out
from scorers.evaluation.measures import DEPTH, ndcg, reciprocal_rank
from scorers.history import History
from scorers.keywords.embedded import EmbeddedKeywords
from scorers.ranking import bundle
from scorers.ranking.features import Floats, Sums, matrix
from scorers.retrieval.catalogue import KeywordCatalogue
from scorers.retrieval.matching import Matcher
from scorers.steps import Steps
from scorers.suggestions.merge import Rows, merge
from scorers.suggestions.value import HORIZON_MS, bid_strength, forecast, market, shown_probability
from scorers.training.dataset import facts_of, join_vectors
from scorers.training.ranker import live_items

_SEARCHES_LONGEST = METRICS.index("searches") - len(METRICS)
"""Place of the longest window's searches in a vector."""
_SEED = 7
Scores = dict[str, Floats]
"""Ranker -> a score for each of a campaign's keywords."""


class NothingToJudge(Exception):
    """No held-out campaign. The text says why."""


def evaluate(folder: Path, settings: Settings, steps: Steps) -> dict[str, Any]:
    """Judge the bundle of `settings` on the history in `folder`.

    Returns:
        `model`, `model_by_probability`, `popularity`, `similarity`, `random` and `oracle`, each with `ndcg_at_10` and
        `mrr`, by true value where it is known, else by purchases; `by_purchases` and `by_true_value` with the same
        rows and `campaigns`; `judged_by`, `candidates`, `trained_until`, `model_version`.

    Raises:
        BundleRefused, BadHistory, NoFeatureLog: as their names say.
        NothingToJudge: no campaign was created after training ended, a day before the history's end.
    """
    history = History(folder)
    with steps.step("bundle"):
        model = bundle.load(settings.bundle_path, settings)
        encoder = model.encoder()
        known = EmbeddedKeywords(*model.keywords())
    trained_until = model.manifest.trained_until
    with steps.step("candidates as of the end of training"):
        cases = held_out(history, trained_until, known, encoder, settings)
    if cases.rows.is_empty():
        raise NothingToJudge(
            f"{folder}: no campaign with a candidate was created after training ended and a day before the end"
        )
    with steps.step("features as of just before each campaign") as advance:
        sums = join_vectors(cases.rows, settings, lambda kind, done, total: advance(done, total))
        markets = _markets(cases, history, settings)
    check_nothing_leaked(cases.rows, sums, cases.campaigns)
    with steps.step("scores"):
        matcher = Matcher(encoder, KeywordCatalogue(known.keywords, known.vectors))
        facts = facts_of(cases.rows, history, matcher, model.manifest.vocabulary, live_items(history.products))
        p_click, p_purchase = model.models.predict(matrix(sums, facts, settings))
        scored = _scored(cases, sums, markets, p_click, p_purchase, settings)
    with steps.step("judgement"):
        texts = {canonical: keyword.text for canonical, keyword in cases.keywords.items()}
        judged = {
            "by_purchases": _judge(scored, purchases_gained(history, cases.campaigns, settings.attribution_window_ms)),
            "by_true_value": _judge(scored, true_gains(folder, cases.campaigns, texts)),
        }
    judged_by = "by_true_value" if judged["by_true_value"]["campaigns"] else "by_purchases"
    rows = {name: row for name, row in judged[judged_by].items() if isinstance(row, dict)}
    return (
        rows
        | judged
        | {
            "judged_by": judged_by,
            "candidates": len(cases.rows),
            "trained_until": trained_until,
            "model_version": model.manifest.model_version,
        }
    )


def _markets(cases: HeldOut, history: History, settings: Settings) -> dict[str, Floats]:
    """For each campaign the market's sums (V) just before it was created."""
    categories = sorted(set(history.impressions.get_column("category").unique()))
    asked = pl.DataFrame(
        {
            "event_timestamp": [one.starts_at - 1 for one in cases.campaigns for _ in categories],
            "category": categories * len(cases.campaigns),
        }
    )
    sums = training_vectors(asked, settings)["category"].reshape(len(cases.campaigns), len(categories), -1)
    return {one.campaign: market(of_market) for one, of_market in zip(cases.campaigns, sums, strict=True)}


def _scored(
    cases: HeldOut, sums: Sums, markets: Mapping[str, Floats], p_click: Floats, p_purchase: Floats, settings: Settings
) -> dict[str, tuple[list[str], Scores]]:
    """For each campaign its keywords and what every ranker says of them."""
    rng = np.random.default_rng(_SEED)
    weeks = max(cases.days * DAY_MS / HORIZON_MS, 1.0)
    numbered = cases.rows.with_row_index("row")
    scored = {}
    for campaign in cases.campaigns:
        own = numbered.filter(pl.col("campaign") == campaign.campaign)
        if own.is_empty():
            continue
        rows = own.get_column("row").to_numpy()
        canonicals, first, keyword_of = np.unique(
            own.get_column("canonical").to_numpy().astype(str), return_index=True, return_inverse=True
        )
        keywords = [cases.keywords[canonical] for canonical in canonicals.tolist()]
        keyword_sums = sums.keyword[rows[first]]
        per_week = np.array([keyword.volume for keyword in keywords], np.float64) / weeks
        rivals = np.array([keyword.rivals for keyword in keywords], np.float64)
        dense = np.full(len(canonicals), -1.0)
        np.maximum.at(dense, keyword_of, own.get_column("dense").to_numpy())
        merged = merge(
            Rows(own.get_column("item").to_list(), keyword_of.astype(np.int64), p_click[rows], p_purchase[rows]),
            forecast(keyword_sums, markets[campaign.campaign], per_week, settings).searches,
            shown_probability(bid_strength(campaign, settings), dense, rivals, settings),
        )
        scores = {
            "model": merged.value,
            "model_by_probability": merged.p_click * merged.p_purchase,
            "popularity": keyword_sums[:, _SEARCHES_LONGEST] + per_week / (1 + per_week.max()),
            "similarity": dense,
            "random": rng.random(len(canonicals)),
        }
        scored[campaign.campaign] = (canonicals.tolist(), scores)
    return scored


def _judge(scored: Mapping[str, tuple[list[str], Scores]], gains: Mapping[str, Gains]) -> dict[str, Any]:
    """Means over the campaigns that have gains: for each ranker and the oracle `ndcg_at_10` and `mrr`; `campaigns`."""
    measures: dict[str, list[tuple[float, float]]] = {}
    judged = [campaign for campaign in scored if campaign in gains]
    for campaign in judged:
        canonicals, scores = scored[campaign]
        own = gains[campaign]
        possible = list(own.of_concept.values())
        ranked = {name: np.argsort(-score, kind="stable").tolist() for name, score in scores.items()}
        orders = {name: [canonicals[row] for row in rows] for name, rows in ranked.items()}
        orders["oracle"] = own.best_order(canonicals)
        for name, order in orders.items():
            in_order = own.in_order(order)
            best = [gain >= max(possible) for gain in in_order]
            measures.setdefault(name, []).append((ndcg(in_order, possible), reciprocal_rank(best)))
    rows = {
        name: dict(zip((f"ndcg_at_{DEPTH}", "mrr"), np.mean(of_ranker, axis=0).tolist(), strict=True))
        for name, of_ranker in measures.items()
    }
    return rows | {"campaigns": len(judged)}


def evaluate_command(folder: Path, out: Path) -> None:
    """`keypulse evaluate`."""
    from infra.stack.state import settings

    report = evaluate(folder, settings(), Steps())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1))
    for judged_by in ("by_true_value", "by_purchases"):
        judged = report[judged_by]
        if judged["campaigns"]:
            print(f"{judged_by.replace('_', ' ')}, {judged['campaigns']} campaigns:")
            for name, row in judged.items():
                if isinstance(row, dict):
                    print(f"  {name:22} NDCG@{DEPTH} {row['ndcg_at_10']:.3f}   MRR {row['mrr']:.3f}")
    print(f"{out} written")
