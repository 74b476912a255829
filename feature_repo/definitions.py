"""All that `feast apply` registers. Feast collects the objects it finds among this module's names."""

from __future__ import annotations

from typing import Any

from feature_repo.entities import ENTITIES
from feature_repo.services import SERVICES
from feature_repo.views import DERIVED_VIEWS, FEAST_STATE_VIEWS, VECTOR_VIEWS


def all_objects() -> list[Any]:
    """Every entity, view and service."""
    views = (VECTOR_VIEWS, FEAST_STATE_VIEWS, DERIVED_VIEWS)
    return [*ENTITIES.values(), *(view for group in views for view in group.values()), *SERVICES]


globals().update({f"feast_object_{number}": registered for number, registered in enumerate(all_objects())})
