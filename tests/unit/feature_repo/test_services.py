"""The service of a model holds all that the model takes."""

from __future__ import annotations

import pytest

from infra.settings import load
from scorers.ranking.features import feature_names

pytestmark = pytest.mark.slow  # imports feast

WINDOWS = load().windows
OF_PRODUCT_AND_KEYWORD = ("title", "brand", "specification")
"""What is compared with the keyword's text."""
SOURCES = {
    "dense": [("product", name) for name in OF_PRODUCT_AND_KEYWORD],
    "lexical": [("product", name) for name in OF_PRODUCT_AND_KEYWORD],
    "keyword_words": [],  # of the keyword's text, which is its key
    "missing_words": [("product", name) for name in OF_PRODUCT_AND_KEYWORD],
    "contradicted_words": [("product", name) for name in OF_PRODUCT_AND_KEYWORD],
    "price_to_keyword": [("product", "price"), ("keyword_sums", "keyword_sums")],
    "price_to_category": [("product", "price"), ("category_sums", "category_sums")],
    f"category_ctr_{WINDOWS[-1]}": [("category_sums", "category_sums")],
    f"category_conversion_{WINDOWS[-1]}": [("category_sums", "category_sums")],
    "price": [("product", "price")],
    "shipping": [("product", "shipping")],
    "condition": [("product", "condition")],
    "category": [],  # the request's own
    "live_items": [("category_items", "live_items")],
    "promoted": [],  # whether the request names a campaign
    "ad_rate": [("campaign", "state")],
    "bid": [("campaign", "state")],
}
"""View and feature that each of the ranker's comes from; the others are served under their own name."""


def test_the_ranker_finds_all_its_features_in_its_service() -> None:
    from feature_repo.services import RANKER

    served = {
        (projection.name, feature.name)
        for projection in RANKER.feature_view_projections
        for feature in projection.features
    }
    names = feature_names(WINDOWS)
    assert set(SOURCES) <= set(names)
    for name in names:
        kind = name.partition("_")[0]
        assert set(SOURCES.get(name, [(f"{kind}_derived", name)])) <= served, name
