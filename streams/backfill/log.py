"""The feature log of a backfill: collected by column, written to the archive by a thread while counting goes on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.archive import FeatureArchive, ServedRows

MOST_ROWS = 400_000
"""Rows that wait in memory, of all partitions together: some 80 MB. A part of as many may be being written."""


class _Waiting:
    """Rows of one partition, and how many flushes they are."""

    def __init__(self) -> None:
        self.names: Sequence[str] = ()
        self.slots: list[NDArray[np.int64]] = []
        self.sums: list[NDArray[Any]] = []
        self.moments: list[tuple[int, int]] = []
        self.rows = 0
        self.flushes_written = 0

    def take(self) -> ServedRows:
        counts = [len(slots) for slots in self.slots]
        as_of, sequence = np.repeat(np.array(self.moments, np.int64).reshape(-1, 2), counts, axis=0).T
        rows = ServedRows(
            list(self.names), np.concatenate(self.slots), np.concatenate(self.sums), as_of, as_of, sequence
        )
        self.slots, self.sums, self.moments = [], [], []
        self.rows = 0
        return rows


class BackfillLog:
    """A context: everything that was added is on disk when it ends without an exception."""

    def __init__(self, archive: FeatureArchive, partitions: int) -> None:
        self._archive = archive
        self._partitions = [_Waiting() for _ in range(partitions)]
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feature-log")
        self._writing: Future[int] | None = None
        self.rows = 0
        """Rows that were added."""

    def __enter__(self) -> BackfillLog:
        return self

    def __exit__(
        self, failed: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread:
            if not failed:
                for number in range(len(self._partitions)):
                    self._write(number)
                self._settle()

    def add(
        self,
        partition: int,
        names: Sequence[str],
        slots: NDArray[np.int64],
        sums: NDArray[Any],
        as_of_ms: int,
        sequence: int,
    ) -> None:
        """Add a partition's vectors as of one moment: row r of `sums` (n x V) is that of `names[slots[r]]`.

        `names` may only grow from call to call; they are looked up when the rows are written.
        """
        if not len(slots):
            return
        waiting = self._partitions[partition]
        waiting.names = names
        waiting.slots.append(slots)
        waiting.sums.append(sums)
        waiting.moments.append((as_of_ms, sequence))
        waiting.rows += len(slots)
        self.rows += len(slots)
        rows = [each.rows for each in self._partitions]
        if sum(rows) > MOST_ROWS:
            self._write(int(np.argmax(rows)))

    def _write(self, partition: int) -> None:
        """Write what waits of the partition, once what is being written is done."""
        waiting = self._partitions[partition]
        if waiting.rows:
            self._settle()
            first, following = waiting.flushes_written, waiting.flushes_written + len(waiting.slots)
            waiting.flushes_written = following
            self._writing = self._thread.submit(self._archive.write_rows, partition, first, following, waiting.take())

    def _settle(self) -> None:
        if self._writing:
            self._writing.result()
            self._writing = None
