"""One entity as a model would see it now: its sums, and the rates derived from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feature_repo.derived import derive, derived_names
from feature_repo.states import CAMPAIGN, PRODUCT
from feature_repo.vector_reader import OnlineSource
from feature_repo.vectors import KINDS, split_entity, sum_names
from infra.failure import Failure
from infra.settings import Settings


class UnknownEntity(Failure):
    """The online store holds no vector of that name."""


@dataclass(frozen=True)
class Inspection:
    """An entity's features."""

    entity: str
    as_of_ms: int
    category: str | None
    """Whose rates the entity's are smoothed towards; None when it isn't known, which smooths them towards 0."""
    sums: dict[str, float]
    derived: dict[str, float]


def inspect(source: OnlineSource, name: str, settings: Settings, category: str | None = None) -> Inspection:
    """Read the entity `name` (`kind:key`), against `category` or else the one that its state names.

    Raises:
        UnknownEntity: no such kind, or no such vector.
    """
    kind, key = split_entity(name)
    if kind not in KINDS or not key:
        raise UnknownEntity(f"{name!r} is not an entity: write kind:key, kind one of {', '.join(KINDS)}")
    vector = source.vectors(kind, [key])
    if not vector.as_of[0]:
        raise UnknownEntity(f"the online store has no vector of {name}: nothing was counted for it, or the key differs")
    category = category or _category(source, kind, key)
    of_category = source.vectors("category", [category]).sums if category else np.zeros_like(vector.sums)
    derived = derive(vector.sums, of_category, settings.windows, settings)
    return Inspection(
        name,
        int(vector.as_of[0]),
        category,
        dict(zip(sum_names(settings.windows), vector.sums[0].tolist(), strict=True)),
        dict(zip(derived_names(settings.windows), derived[0].tolist(), strict=True)),
    )


def _category(source: OnlineSource, kind: str, key: str) -> str | None:
    if kind == "category":
        return key
    views = {"item": PRODUCT, "pair": PRODUCT, "campaign": CAMPAIGN}
    if kind not in views:
        return None
    [row] = source.rows(views[kind].name, [key.split("|")[0]])
    category = row["category"] if row else None
    return category if isinstance(category, str) else None
