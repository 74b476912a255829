"""Feature services: what each model or page asks for, under one name with a version."""

from __future__ import annotations

from feast import FeatureService

from feature_repo.views import DERIVED_VIEWS, FEAST_STATE_VIEWS, VECTOR_VIEWS

# Names that two views share can't be asked for together: the request gives the category, the campaign's state the rest.
_PRODUCT = FEAST_STATE_VIEWS["product"][["title", "price", "shipping", "condition", "brand", "specification"]]
_CAMPAIGN = FEAST_STATE_VIEWS["campaign"][["state"]]
_CATEGORY = FEAST_STATE_VIEWS["category_items"][["live_items"]]

RANKER = FeatureService(
    name="ranker_v1",
    features=[*VECTOR_VIEWS.values(), *DERIVED_VIEWS.values(), _PRODUCT, _CAMPAIGN, _CATEGORY],
    description="The ranker of (item, keyword) pairs: P(click) and P(purchase | click)",
)
KEYWORD_SUGGESTIONS = FeatureService(
    name="keyword_suggestions_v1",
    features=[VECTOR_VIEWS["item"], VECTOR_VIEWS["campaign"], _PRODUCT, _CAMPAIGN, _CATEGORY],
    description="What a suggestion list must know of its campaign: its state, products and sums",
)

SERVICES = (RANKER, KEYWORD_SUGGESTIONS)
