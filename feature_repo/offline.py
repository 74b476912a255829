"""Vectors as they could be read at given moments: the features of a training set, by Feast's point-in-time join."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from feature_repo.archive import files_of
from feature_repo.codec import vector_view
from feature_repo.repository import feature_store
from feature_repo.vectors import KINDS, sum_names
from infra.failure import Failure
from infra.settings import Settings

if TYPE_CHECKING:
    import polars as pl
    from feast import FeatureStore


class NoFeatureLog(Failure):
    """There is no archived log to join with."""


def training_vectors(
    frame: pl.DataFrame, settings: Settings, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, NDArray[np.float64]]:
    """For each kind of entity, the vectors that were readable at the rows' moments: n x V, in the frame's order.

    A vector counts as readable from when it was `created`, a moment after it was summed, so a row never sees a vector
    that a reader at its moment could not have seen. Zeros where there was none yet, or the row has no such entity.

    Args:
        frame: `event_timestamp` (ms) and, for each kind wanted, a column of that name with the entity's key or null.
        settings: say where the archive is.
        progress: called after each kind with its name, how many are done and how many there are.

    Raises:
        NoFeatureLog: nothing was archived yet.
    """
    folder = settings.feature_log_path
    if not any(any(folder.glob(files_of(kind))) for kind in KINDS):
        raise NoFeatureLog(f"no feature log in {folder}: run `keypulse backfill`, or `keypulse features archive`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Feast and ibis about themselves, once a kind
        return _joined(frame, feature_store(settings), settings, progress)


def _joined(
    frame: pl.DataFrame, store: FeatureStore, settings: Settings, progress: Callable[[str, int, int], None] | None
) -> dict[str, NDArray[np.float64]]:
    width = len(sum_names(settings.windows))
    kinds = [kind for kind in KINDS if kind in frame.columns]
    vectors = {}
    for done, kind in enumerate(kinds, start=1):
        vectors[kind] = np.zeros((len(frame), width))
        if any(settings.feature_log_path.glob(files_of(kind))):
            _fill(vectors[kind], kind, frame, store)
        if progress:
            progress(kind, done, len(kinds))
    return vectors


def _fill(vectors: NDArray[np.float64], kind: str, frame: pl.DataFrame, store: FeatureStore) -> None:
    """Put the vectors of one kind where the frame has such an entity and the entity had a vector."""
    import polars as pl

    moment = pl.col("event_timestamp").cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    asked = frame.select(pl.int_range(pl.len()).alias("row_id"), moment, kind).drop_nulls()
    joined = store.get_historical_features(
        entity_df=asked.to_pandas(),
        features=[f"{vector_view(kind)}:{vector_view(kind)}"],
        filter_by_created_timestamp=True,
    ).to_arrow()
    found = joined.filter(joined[vector_view(kind)].is_valid())
    # Feast promises no order of rows: each finds its place by its number.
    rows = found["row_id"].to_numpy()
    vectors[rows] = found[vector_view(kind)].combine_chunks().flatten().to_numpy().reshape(-1, vectors.shape[1])
