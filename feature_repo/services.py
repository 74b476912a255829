"""Feature services: what each model or page asks for, under one name with a version."""

from __future__ import annotations

from feast import FeatureService

from feature_repo.views import DERIVED_VIEWS, FEAST_STATE_VIEWS, VECTOR_VIEWS

RANKER = FeatureService(
    name="ranker_v1",
    features=[*VECTOR_VIEWS.values(), *DERIVED_VIEWS.values()],
    description="The ranker of (item, keyword) pairs: P(click) and P(purchase | click)",
)
KEYWORD_SUGGESTIONS = FeatureService(
    name="keyword_suggestions_v1",
    features=[VECTOR_VIEWS["item"], VECTOR_VIEWS["campaign"], *FEAST_STATE_VIEWS.values()],
    description="What a suggestion list must know of its campaign: its state, products and sums",
)

SERVICES = (RANKER, KEYWORD_SUGGESTIONS)
