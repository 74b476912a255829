"""Feast views: the sums of each kind of entity, what is derived from them, and what the state topics say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from feast import FeatureView, Field, FileSource, OnDemandFeatureView, RepoConfig
from feast.data_format import ParquetFormat
from feast.types import Array, FeastType, Float64, Int64, String

from feature_repo.archive import files_of
from feature_repo.codec import vector_view
from feature_repo.derived import Matrix, derive, derived_names
from feature_repo.entities import ENTITIES
from feature_repo.repository import settings
from feature_repo.states import STATE_VIEWS, FieldType, StateView
from feature_repo.vectors import KINDS, sum_names

_TYPES: dict[FieldType, FeastType] = {"string": String, "int64": Int64, "strings": Array(String)}


class _ArchivedSource(FileSource):
    """Files within the offline store's folder. Feast would look for them in its own, and before there are any."""

    def validate(self, config: RepoConfig) -> None:
        pass


def _vector_view(kind: str) -> FeatureView:
    name = vector_view(kind)
    return FeatureView(
        name=name,
        entities=[ENTITIES[kind]],
        ttl=timedelta(0),  # a quiet entity's vector decays by being written again, not by age
        schema=[Field(name=kind, dtype=String), Field(name=name, dtype=Array(Float64))],
        source=_ArchivedSource(
            name=f"{name}_log",
            path=files_of(kind),
            file_format=ParquetFormat(),
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
            description="Vectors as they were served; a path within the offline store's folder",
        ),
        description=f"Sums per window, window-major: {', '.join(sum_names(settings().windows))}",
    )


def _state_view(view: StateView) -> FeatureView:
    return FeatureView(
        name=view.name,
        entities=[ENTITIES[view.kind]],
        ttl=timedelta(0),
        schema=[
            Field(name=view.kind, dtype=String),
            *(Field(name=name, dtype=_TYPES[type_]) for name, type_ in view.fields.items()),
        ],
        source=_ArchivedSource(
            name=f"{view.name}_state",
            path=f"state={view.name}/*.parquet",
            file_format=ParquetFormat(),
            timestamp_field="event_timestamp",
            description="Written by agents straight to the online store; no history is kept",
        ),
        description="As it is now",
    )


class _DeclaredView(OnDemandFeatureView):
    """A view whose schema is declared: Feast would infer it by a call with made-up lists of another length."""

    def infer_features(self) -> None:
        pass


def derived_columns(kind: str, inputs: dict[str, list[Any]]) -> dict[str, list[float]]:
    """What a derived view computes: `derive` over lists of vectors, None for an unknown entity."""
    window_names = settings().windows
    sums, of_category = (_matrix(inputs[vector_view(each)], window_names) for each in (kind, "category"))
    derived = derive(sums, of_category, window_names, settings())
    names = derived_names(window_names)
    return {f"{kind}_{name}": column for name, column in zip(names, derived.T.tolist(), strict=True)}


def _matrix(vectors: list[Any], window_names: tuple[str, ...]) -> Matrix:
    unknown = np.zeros(len(sum_names(window_names)))
    return np.array([unknown if vector is None else vector for vector in vectors]).reshape(len(vectors), len(unknown))


def _derived_view(kind: str) -> OnDemandFeatureView:
    transformation = _transformation(kind)
    return _DeclaredView(
        name=f"{kind}_derived",
        sources=[VECTOR_VIEWS[kind], VECTOR_VIEWS["category"]],
        schema=[Field(name=f"{kind}_{name}", dtype=Float64) for name in derived_names(settings().windows)],
        mode="python",
        udf=transformation,
        udf_string=f"feature_repo.views.derived_columns({kind!r}, inputs)",
        description="Smoothed rates, logarithms, trends and recency: feature_repo.derived",
    )


def _transformation(kind: str) -> Callable[[dict[str, list[Any]]], dict[str, list[float]]]:
    def transform(inputs: dict[str, list[Any]]) -> dict[str, list[float]]:
        # The registry keeps this function as bytes: it names the code rather than holds it.
        from feature_repo.views import derived_columns

        return derived_columns(kind, inputs)

    return transform


VECTOR_VIEWS = {kind: _vector_view(kind) for kind in KINDS}
"""By kind: one feature, the vector of sums."""

DERIVED_VIEWS = {kind: _derived_view(kind) for kind in KINDS if kind != "category"}
"""By kind: an entity's rates against its category's. A request gives the entity and the category."""

FEAST_STATE_VIEWS = {name: _state_view(view) for name, view in STATE_VIEWS.items()}
"""By name."""
