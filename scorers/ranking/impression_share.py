"""P(shown): on which share of a keyword's searches a campaign's ad is looked at, its impression share. Pure.

    log-odds = intercept + weights x terms of (campaign, item, keyword)

A sponsored place goes to a bidder with probability in proportion to offer times relevance (Luce, "Individual choice
behavior", 1959) and stays vacant in proportion to the platform's reserve. So a small share is offer x relevance / all
that is bid, and the more is bid, the seldomer a place is vacant: the logs of offer, relevance and vacancy would all
weigh 1. What they do weigh, a history tells (`scorers.training.impression_share`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from infra.settings import Settings
from scorers.ranking.features import Floats, usual_bid
from streams.contracts.messages import CampaignState

TYPICAL_RELEVANCE = 0.5
"""Similarity at which an offer weighs what it says."""
_LEAST_RELEVANCE, _LEAST_OFFER, _LEAST_VACANCY = 0.05, 0.01, 0.001
"""What is smaller counts as this, as it has no log."""


class ImpressionShare(msgspec.Struct, frozen=True):
    """Weight of each term in log-odds; the defaults, for who knows no auction, are what two simulated markets taught.

    The terms: log of the offer (`bid_strength`); log of the relevance, which is the similarity over
    `TYPICAL_RELEVANCE`; words of the keyword that the product contradicts; log of the keyword's words, as fewer rivals
    are relevant to a narrow one; 1 / (1 + impressions of the pair in the longest window), as a platform that never
    shows a pair may know why; log of the vacancy (`Vacancies`); log of (usual rivals + known ones) / usual ones.
    """

    offer: float = 0.85
    relevance: float = 1.0
    contradicted: float = -1.3
    words: float = 1.0
    unseen: float = -0.5
    vacancy: float = 0.6
    rivals: float = -1.1
    intercept: float = -1.9

    def probability(self, terms: Floats) -> Floats:
        """P(shown) of n rows of `terms`."""
        *weights, intercept = msgspec.structs.astuple(self)
        return np.asarray(1.0 / (1.0 + np.exp(-(terms @ np.array(weights) + intercept))))


def terms(
    offer: Floats,
    similarity: Floats,
    contradicted: Floats,
    words: Floats,
    impressions: Floats,
    vacancy: Floats,
    rivals: Floats,
    settings: Settings,
) -> Floats:
    """n x 7, in the order of `ImpressionShare`; each argument n, NaN where it is not known. `rivals`: sellers whose
    keywords match; `settings.usual_rivals` stands for those of whom nothing is known."""
    usual = max(settings.usual_rivals, 1)
    columns = [
        np.log(np.maximum(offer, _LEAST_OFFER)),
        np.log(np.maximum(similarity, _LEAST_RELEVANCE) / TYPICAL_RELEVANCE),
        contradicted,
        np.log(words),
        1.0 / (1.0 + impressions),
        np.log(np.maximum(vacancy, _LEAST_VACANCY)),
        np.log((usual + rivals) / usual),
    ]
    return np.nan_to_num(np.column_stack(columns).astype(np.float64))


class Vacancies:
    """How often the sponsored places of a keyword's pages stay vacant: a multiple of what is usual in the market."""

    def __init__(self, known: Mapping[str, float] | Iterable[tuple[str, float]] = ()) -> None:
        """`known`: by canonical keyword."""
        self._known = dict(known)

    def of(self, canonicals: Iterable[str]) -> Floats:
        """Of n keywords; 1, the usual, where it is not known."""
        return np.array([self._known.get(canonical, 1.0) for canonical in canonicals], np.float64)


def bid_strength(campaign: CampaignState, settings: Settings) -> float:
    """What the campaign offers for a click against what rivals typically do; 1 when it doesn't say."""
    bid = usual_bid(campaign)
    if not math.isnan(bid):
        return bid / settings.typical_bid
    if campaign.ad_rate > 0:
        return campaign.ad_rate / settings.typical_ad_rate
    return 1.0
