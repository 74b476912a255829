"""The feature log on disk: every vector that was served, as Parquet, one folder a kind.

A file holds the rows of a range of one source partition's offsets, and says so in its name. Files of a range are
written first, then the partition's mark (the next offset, and what the reader wants to know of it) replaces the old one
in one step. A crash in between leaves files past the mark: `resume` deletes them, and the range is written again. So a
row is archived exactly once, whatever Kafka's committed offsets say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.codec import vector_view
from feature_repo.vectors import KINDS


def files_of(kind: str) -> str:
    """Glob of a kind's files, within the archive's folder."""
    return f"kind={kind}/*.parquet"


class ServedVectors(NamedTuple):
    """Vectors that were written to the online store together."""

    entities: Sequence[str]
    """`kind:key`."""
    sums: NDArray[np.float64]
    """n x V."""
    as_of_ms: int
    """The moment they were summed for."""
    created_ms: int
    """A moment by which they were readable; not before `as_of_ms`."""
    sequence: int
    """The sender's running number: orders rows of one entity and moment."""


class ServedRows(NamedTuple):
    """Rows of the log by column."""

    names: Sequence[str]
    """`kind:key`."""
    entity: NDArray[np.int64]
    """n; row r is of the entity `names[entity[r]]`."""
    sums: NDArray[Any]
    """n x V whole numbers."""
    as_of_ms: NDArray[np.int64]
    created_ms: NDArray[np.int64]
    sequence: NDArray[np.int64]

    @classmethod
    def of(cls, batches: Sequence[ServedVectors]) -> ServedRows:
        """The rows of all batches."""
        names = [name for batch in batches for name in batch.entities]
        counts = [len(batch.entities) for batch in batches]
        moments = np.array([batch[2:] for batch in batches], np.int64).reshape(-1, 3)
        return cls(
            names,
            np.arange(len(names)),
            np.concatenate([batch.sums for batch in batches]) if batches else np.zeros((0, 0)),
            *np.repeat(moments, counts, axis=0).T,
        )


@dataclass(frozen=True)
class Mark:
    """How far a partition is archived."""

    next_offset: int = 0
    note: dict[str, Any] = field(default_factory=dict)
    """What the reader of the partition wants to find again, e.g. the sequence numbers it has seen."""


class FeatureArchive:
    """Writes the log of one source, e.g. `live` or `backfill`, under `folder`. One writer a partition."""

    def __init__(self, folder: Path, source: str = "live") -> None:
        self._folder = folder
        self._source = source

    def resume(self, partition: int) -> Mark:
        """The partition's mark, after files past it have been deleted."""
        try:
            mark = Mark(**json.loads(self._mark_path(partition).read_text()))
        except FileNotFoundError:
            mark = Mark()
        for path in self._folder.glob(f"kind=*/{self._source}-{partition}-*.parquet*"):
            if int(path.name.split("-")[-2]) >= mark.next_offset:
                path.unlink()
        return mark

    def write(
        self,
        partition: int,
        first_offset: int,
        next_offset: int,
        batches: Sequence[ServedVectors],
        note: dict[str, Any] | None = None,
    ) -> int:
        """Archive what the offsets from `first_offset` to before `next_offset` held; returns the number of rows.

        `first_offset` is where the partition's mark stands.
        """
        return self.write_rows(partition, first_offset, next_offset, ServedRows.of(batches), note)

    def write_rows(
        self,
        partition: int,
        first_offset: int,
        next_offset: int,
        rows: ServedRows,
        note: dict[str, Any] | None = None,
    ) -> int:
        """As `write`, of rows that are columns already."""
        name = f"{self._source}-{partition}-{first_offset:016d}-{next_offset:016d}.parquet"
        for kind, table in _tables(rows).items():
            self._write_table(self._folder / f"kind={kind}" / name, table)
        self._write_mark(partition, Mark(next_offset, note or {}))
        return len(rows.entity)

    def clear(self) -> None:
        """Delete all files and marks of this source: the log is about to be computed anew."""
        for pattern in (f"marks/{self._source}-*.json", f"kind=*/{self._source}-*.parquet*"):
            for path in self._folder.glob(pattern):
                path.unlink()

    def _mark_path(self, partition: int) -> Path:
        return self._folder / "marks" / f"{self._source}-{partition}.json"

    def _write_mark(self, partition: int, mark: Mark) -> None:
        path = self._mark_path(partition)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".json.new")
        with unfinished.open("w") as file:
            json.dump({"next_offset": mark.next_offset, "note": mark.note}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)

    def _write_table(self, path: Path, table: Any) -> None:
        import pyarrow.parquet as pq

        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".parquet.new")
        pq.write_table(table, unfinished, compression="zstd")
        unfinished.rename(path)


def _tables(rows: ServedRows) -> dict[str, Any]:
    """An Arrow table a kind, ordered by entity and time: alike rows side by side pack better and are found faster."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array(rows.names, pa.string()).dictionary_encode()
    by_name = pc.sort_indices(names.dictionary)
    # Strings are only compared here, each once; rows are ordered by their name's place.
    place_of = np.empty(len(by_name), np.int64)
    place_of[by_name.to_numpy()] = np.arange(len(by_name))
    place = place_of[names.indices.to_numpy()[rows.entity]]
    order = np.lexsort((rows.sequence, rows.as_of_ms, place))
    place, sorted_names = place[order], names.dictionary.take(by_name)
    moment = pa.timestamp("ms", "UTC")
    tables = {}
    for kind in KINDS:
        of_kind = np.flatnonzero(pc.starts_with(sorted_names, f"{kind}:").to_numpy(zero_copy_only=False))
        first, last = np.searchsorted(place, [of_kind[0], of_kind[-1] + 1]) if len(of_kind) else (0, 0)
        if first == last:
            continue
        chosen = order[first:last]
        keys = pc.utf8_slice_codeunits(sorted_names.take(pa.array(place[first:last])), len(kind) + 1)
        vectors = rows.sums[chosen].astype(np.float64, copy=False)
        offsets = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
        tables[kind] = pa.table(
            {
                kind: keys,
                "event_timestamp": pa.array(rows.as_of_ms[chosen], moment),
                "created": pa.array(rows.created_ms[chosen], moment),
                "sequence": pa.array(rows.sequence[chosen]),
                vector_view(kind): pa.ListArray.from_arrays(offsets, vectors.ravel()),
            }
        )
    return tables
