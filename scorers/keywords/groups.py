"""Topical groups of keywords, as a seller would sort them: dense regions of their embeddings, named by their medoid."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA

from scorers.retrieval.encoders import Encoder, Progress

SMALLEST = 10
"""Fewer keywords are no group."""
MOST = 20_000
"""Keywords of most volume that are grouped; the others stay without."""
_DIMENSIONS = 32
"""The vectors' main directions: HDBSCAN finds as many groups in them, in a twentieth of the time."""


def with_groups(clusters: pl.DataFrame, encoder: Encoder, progress: Progress | None = None) -> pl.DataFrame:
    """The clusters with `group`: the text of its group's medoid, null for a keyword of no group.

    Only suggestable ones are grouped, so that no group is named by what may not be shown.
    """
    shown = (
        clusters.filter(pl.col("status") == "suggestable").sort("volume", "key", descending=[True, False]).head(MOST)
    )
    texts = shown.get_column("text").to_list()
    names = group_names(texts, encoder.encode(texts, progress)) if len(texts) >= SMALLEST else [None] * len(texts)
    found = shown.select("key").with_columns(pl.Series("group", names, dtype=pl.String))
    return clusters.drop("group", strict=False).join(found, on="key", how="left", maintain_order="left")


def group_names(texts: list[str], vectors: NDArray[np.float32]) -> list[str | None]:
    """For each text its group's medoid. `vectors`: n x dimension, rows of length 1; at least `SMALLEST`."""
    main = PCA(min(_DIMENSIONS, *vectors.shape), svd_solver="full").fit_transform(vectors)
    labels = HDBSCAN(min_cluster_size=SMALLEST, min_samples=3, copy=True).fit_predict(main)
    names: list[str | None] = [None] * len(texts)
    for label in range(labels.max() + 1):
        rows = np.flatnonzero(labels == label)
        name = texts[rows[np.argmax(vectors[rows] @ vectors[rows].mean(axis=0))]]
        for row in rows:
            names[row] = name
    return names
