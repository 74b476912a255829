"""A scored keyword as the campaign service gets it: factors, items, sources, reasons."""

from __future__ import annotations

from feature_repo.vectors import METRICS
from infra.settings import Settings
from scorers.scoring.batch import CampaignScores
from scorers.suggestions.reasons import Evidence, reasons
from scorers.suggestions.value import Floats
from streams.contracts.messages import Contribution, Suggestion

_SEARCHES, _CLICKS, _PURCHASES = (METRICS.index(metric) for metric in ("searches", "clicks", "purchases"))
_LONGEST = slice(-len(METRICS), None)
"""The longest window's sums in a vector."""


def suggestion(
    scores: CampaignScores,
    number: int,
    rank: int,
    rows: list[int],
    contributions: list[Contribution],
    settings: Settings,
) -> Suggestion:
    """The campaign's keyword `number`, whose rows are `rows`, best first. Its id is the publishing stage's to give."""
    keyword, merged = scores.keywords[number], scores.merged
    candidates = [scores.batch.candidates[scores.first_row + row] for row in rows]
    sources = {source for candidate in candidates for source in candidate.found}
    return Suggestion(
        suggestion_id="",
        keyword=keyword.text,
        canonical=keyword.canonical,
        rank=rank,
        score=float(merged.value[number]),
        expected_purchases=float(merged.value[number]),
        expected_searches=float(merged.searches[number]),
        p_shown=float(merged.p_shown[number]),
        p_click=float(merged.p_click[number]),
        p_purchase=float(merged.p_purchase[number]),
        adopted=keyword.canonical in scores.adopted,
        items=[scores.rows.items[row] for row in rows],
        sources=sorted(sources),
        reasons=reasons(_evidence(scores, number, scores.first_row + rows[0], sources, settings)),
        contributions=contributions,
    )


def _evidence(scores: CampaignScores, number: int, row: int, sources: set[str], settings: Settings) -> Evidence:
    inputs = scores.batch.inputs
    pair = inputs.pair_sums[row][_LONGEST]
    keyword = inputs.keyword_sums[inputs.keyword_of[row]][_LONGEST]
    category = inputs.category_sums[inputs.product_of[row]][_LONGEST]
    name = inputs.products[inputs.product_of[row]].category
    return Evidence(
        category=name,
        sources=sources,
        windows=settings.windows,
        seen=scores.forecast.seen[number].tolist(),
        foreseen=scores.forecast.foreseen[number].tolist(),
        smoothing=settings.forecast_smoothing,
        surge_factor=settings.suggestion_surge_factor,
        surge=scores.surges.get(scores.keywords[number].canonical),
        searches=float(keyword[_SEARCHES]),
        pair_clicks=float(pair[_CLICKS]),
        pair_purchases=float(pair[_PURCHASES]),
        sells_better=_sells_better(keyword, category, settings.smoothing_searches),
        similarity=scores.batch.candidates[row].dense,
        coverage=scores.batch.candidates[row].lexical,
        rivals=scores.keywords[number].rivals,
        drift=scores.drifts.get(name),
    )


def _sells_better(keyword: Floats, category: Floats, smoothing: float) -> float:
    """Purchases per search of a keyword, smoothed towards its category's, over the category's."""
    if category[_SEARCHES] <= 0 or category[_PURCHASES] <= 0:
        return 1.0
    usual = category[_PURCHASES] / category[_SEARCHES]
    own = (keyword[_PURCHASES] + smoothing * usual) / (keyword[_SEARCHES] + smoothing)
    return float(own / usual)
