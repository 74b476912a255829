"""P(shown): what it rises and falls with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from infra.settings import Settings
from scorers.ranking.impression_share import ImpressionShare, Vacancies, bid_strength, terms
from streams.contracts.messages import CampaignKeyword, CampaignState

USUAL = {
    "offer": 1.0,
    "similarity": 0.5,
    "contradicted": 0.0,
    "words": 3.0,
    "impressions": 0.0,
    "vacancy": 1.0,
    "rivals": 0.0,
}


def shown(**others: float) -> float:
    """Of one row that is usual but for `others`."""
    row = {name: np.array([value]) for name, value in (USUAL | others).items()}
    return float(ImpressionShare().probability(terms(**row, settings=Settings()))[0])


def test_a_usual_offer_for_a_usual_keyword_is_as_the_intercept_says() -> None:
    default = ImpressionShare()
    log_odds = default.intercept + default.unseen + np.log(3) * default.words
    assert shown() == pytest.approx(1 / (1 + np.exp(-log_odds)))


def test_more_offer_relevance_words_and_vacancy_help_and_the_others_hurt() -> None:
    for better in ({"offer": 2.0}, {"similarity": 0.8}, {"words": 4.0}, {"vacancy": 2.0}, {"impressions": 3.0}):
        assert shown(**better) > shown()
    for worse in ({"contradicted": 1.0}, {"rivals": 5.0}, {"similarity": -0.2}, {"offer": 0.0}):
        assert shown(**worse) < shown()


def test_a_small_share_grows_with_a_power_of_the_offer() -> None:
    assert shown(offer=0.02) / shown(offer=0.01) == pytest.approx(2 ** ImpressionShare().offer, rel=0.02)


@given(
    st.fixed_dictionaries(
        {
            "offer": st.floats(0, 1e6),
            "similarity": st.floats(-1, 1) | st.just(np.nan),
            "contradicted": st.floats(0, 20) | st.just(np.nan),
            "words": st.floats(1, 30),
            "impressions": st.floats(0, 1e6),
            "vacancy": st.floats(0, 100),
            "rivals": st.floats(0, 1e6),
        }
    ),
    st.integers(0, 20),
)
def test_it_is_always_a_probability(row: dict[str, float], usual: int) -> None:
    columns = {name: np.array([value]) for name, value in row.items()}
    probability = ImpressionShare().probability(terms(**columns, settings=Settings(usual_rivals=usual)))
    assert ((probability >= 0) & (probability <= 1)).all()


def test_a_keyword_of_which_nothing_is_known_is_as_vacant_as_usual() -> None:
    found: NDArray[np.float64] = Vacancies({"boot": 0.5}).of(["boot", "lamp"])
    assert found.tolist() == [0.5, 1.0]
    assert Vacancies().of([]).tolist() == []


def campaign(*bids: int, ad_rate: float = 0.0) -> CampaignState:
    return CampaignState(
        schema_version=1,
        campaign="c",
        seller="s",
        items=["i"],
        keywords=[CampaignKeyword(text=f"k{n}", bid=bid) for n, bid in enumerate(bids)],
        ad_rate=ad_rate,
        starts_at=1_700_000_000_000,
        updated_at=1_700_000_000_000,
    )


def test_bid_strength() -> None:
    settings = Settings(typical_bid=50, typical_ad_rate=0.1)
    assert bid_strength(campaign(25, 100, 100), settings) == 2.0
    assert bid_strength(campaign(0, ad_rate=0.05), settings) == 0.5
    assert bid_strength(campaign(), settings) == 1.0
