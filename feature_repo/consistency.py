"""The standing check that training sees what serving saw: the archived log against the online store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feature_repo.archive import files_of
from feature_repo.codec import vector_view
from feature_repo.vector_reader import OnlineSource
from feature_repo.vectors import KINDS, entity

_MOST_EXAMPLES = 10


@dataclass
class Consistency:
    """What the check found."""

    sampled: int = 0
    """Entities of the archive that were looked at."""
    compared: int = 0
    """Entities of which the newest archived row and the online vector are of one moment."""
    newer_online: int = 0
    """Entities whose online vector isn't archived yet: the log has still to be read."""
    mismatches: int = 0
    """Entities whose two vectors differ though of one moment, or of which the archive knows a newer one."""
    examples: list[str] = field(default_factory=list)


def check(folder: Path, source: OnlineSource, sample: int, seed: int = 0) -> Consistency:
    """Compare online vectors with the newest archived rows in `folder` of at most `sample` entities of each kind."""
    found = Consistency()
    for kind in KINDS:
        keys, as_of, sums = _newest_rows(folder, kind, sample, seed)
        if not keys:
            continue
        online = source.vectors(kind, keys)
        newer, same = online.as_of > as_of, online.as_of == as_of
        wrong = (online.as_of < as_of) | (same & (online.sums != sums).any(axis=1))
        found.sampled += len(keys)
        found.compared += int(same.sum())
        found.newer_online += int(newer.sum())
        found.mismatches += int(wrong.sum())
        found.examples += [
            f"{entity(kind, keys[row])}: archived as of {as_of[row]} {sums[row].astype(int).tolist()}, "
            f"online as of {online.as_of[row]} {online.sums[row].astype(int).tolist()}"
            for row in np.flatnonzero(wrong)[: _MOST_EXAMPLES - len(found.examples)]
        ]
    return found


def _newest_rows(
    folder: Path, kind: str, sample: int, seed: int
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """Keys, as-of times (ms) and sums of the newest rows of a sample of a kind's entities."""
    import polars as pl

    if not any(folder.glob(files_of(kind))):
        return [], np.zeros(0, np.int64), np.zeros((0, 0))
    log = pl.scan_parquet(folder / files_of(kind), hive_partitioning=False)
    keys = log.select(pl.col(kind).unique(maintain_order=False)).collect()[kind].sort()
    keys = keys.sample(min(sample, len(keys)), seed=seed)
    newest = (
        log.filter(pl.col(kind).is_in(keys.implode()))
        .sort("event_timestamp", "created", "sequence")
        .group_by(kind)
        .last()
        .collect()
    )
    sums = np.array(newest[vector_view(kind)].to_list(), dtype=np.float64)
    return newest[kind].to_list(), newest["event_timestamp"].dt.epoch("ms").to_numpy(), sums
