"""Tables to a folder, in the schemas' columns and order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from scorers.data.schemas import IDS_DIVIDER, IN_PARQUET, TABLES


def write(folder: Path, tables: Mapping[str, pl.DataFrame], *, csv: bool = False) -> dict[str, int]:
    """Write each table by its schema's name, as Parquet or CSV; rows by table. Columns of no schema are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        columns = [column for column in TABLES[name].columns if column.name in frame.columns]
        typed = frame.select(pl.col(column.name).cast(IN_PARQUET[column.kind]) for column in columns)
        if csv:
            lists = pl.col([column.name for column in columns if column.kind == "ids"] or [])
            typed.with_columns(lists.list.join(IDS_DIVIDER)).write_csv(folder / f"{name}.csv")
        else:
            typed.write_parquet(folder / f"{name}.parquet")
    return {name: len(frame) for name, frame in tables.items()}
