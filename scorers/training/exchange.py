"""Examples as Parquet: what the processes of a distributed training read, be they Spark's or torchrun's.

A row an example: the features by name, `label`, `weight`, `examined`, `group`, and `validation`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from infra.settings import Settings
from scorers.training.examples import Examples, Features


def examples_folder(settings: Settings) -> Path:
    """Where the examples of the last distributed training lie. All of its processes must see it."""
    return settings.home / "models" / "examples"


def write_examples(path: Path, training: Examples, validation: Examples, features: Features) -> None:
    """Write the examples of one target."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = ((training, False), (validation, True))
    pl.concat(_frame(examples, features, late) for examples, late in parts).write_parquet(path)


def read_examples(path: Path, features: Features) -> tuple[Examples, Examples]:
    """Training and validation examples, as they were written."""
    frame = pl.read_parquet(path)
    training, validation = (_examples(frame.filter(pl.col("validation") == late), features) for late in (False, True))
    return training, validation


def _frame(examples: Examples, features: Features, late: bool) -> pl.DataFrame:
    named = pl.DataFrame(examples.matrix, schema=dict.fromkeys(features.names, pl.Float32), orient="row")
    return named.with_columns(
        label=examples.labels,
        weight=examples.weights,
        examined=examples.examined,
        group=examples.groups,
        validation=pl.lit(late),
    )


def _examples(frame: pl.DataFrame, features: Features) -> Examples:
    return Examples(
        np.ascontiguousarray(frame.select(features.names).to_numpy()),
        frame.get_column("label").to_numpy(),
        frame.get_column("weight").to_numpy(),
        frame.get_column("examined").to_numpy(),
        frame.get_column("group").to_numpy(),
    )
