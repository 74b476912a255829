"""Agreement of two ways to gather texts: by pairs, and by each text's own cluster (B-cubed)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl


class Agreement(msgspec.Struct, frozen=True):
    """Precision: of what was put together, the share that belongs together. Recall: the other way round."""

    texts: int
    clusters: int
    precision: float
    recall: float
    bcubed_precision: float
    bcubed_recall: float


def agreement(truth: Sequence[str], found: Sequence[str]) -> Agreement:
    """`truth` and `found` name each text's cluster. B-cubed after Amigó et al. (2009): the mean over texts.

    Where nothing was, or is to be, put together, the pairs' precision or recall is 1.
    """
    both = pl.DataFrame({"truth": truth, "found": found}).group_by("truth", "found").len("both")
    both = both.with_columns(
        pl.col("both").sum().over("truth").alias("true"), pl.col("both").sum().over("found").alias("put")
    )
    together = _pairs(both.get_column("both"))
    put = _pairs(both.unique("found").get_column("put"))
    true = _pairs(both.unique("truth").get_column("true"))
    squares = pl.col("both") ** 2
    precise, recalled = both.select(
        (squares / pl.col("put")).sum().alias("precise"), (squares / pl.col("true")).sum().alias("recalled")
    ).row(0)
    texts = max(1, len(truth))
    return Agreement(
        len(truth),
        both.get_column("found").n_unique(),
        together / put if put else 1.0,
        together / true if true else 1.0,
        precise / texts,
        recalled / texts,
    )


def _pairs(sizes: pl.Series) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.to_list())
