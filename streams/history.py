"""Event history on disk: one Parquet file an event type, rows in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.failure import Failure
from infra.murmur2 import partition_of
from streams.events import EVENT_TYPES, Event, EventName


class BadHistory(Failure):
    """A history folder can't be used. The text names the file, the column and the cure."""


@dataclass(frozen=True)
class EventLog:
    """The history of one event type in one shopper partition, in order of arrival."""

    name: EventName
    frame: pl.DataFrame
    newest: NDArray[np.int64]
    """Greatest event time of the whole history of this type up to each row, ms: grows, so it can be searched."""

    def events(self, start: int = 0, end: int | None = None) -> Iterator[Event]:
        """The events of rows [start, end)."""
        event_type = EVENT_TYPES[self.name]
        columns = self.frame.columns
        for row in self.frame[start:end].iter_rows():
            yield event_type(**dict(zip(columns, row, strict=True)))


def read(folder: Path, partitions: int) -> dict[tuple[EventName, int], EventLog]:
    """Read a history folder: a log per event type and partition.

    Raises:
        BadHistory: a file is missing or unreadable, or lacks a column that has no default.
    """
    return {(name, number): log for name in EVENT_TYPES for number, log in enumerate(_read(folder, name, partitions))}


def _read(folder: Path, name: EventName, partitions: int) -> list[EventLog]:
    path = folder / f"{name}.parquet"
    try:
        frame = pl.read_parquet(path)
    except FileNotFoundError:
        raise BadHistory(f"{path} is missing; a history folder holds {', '.join(map(_file, EVENT_TYPES))}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadHistory(f"{path} is not a Parquet file that can be read: {error}") from None
    fields = EVENT_TYPES[name].__struct_fields__
    frame = frame.select([column for column in frame.columns if column in fields])
    if missing := sorted(_required(name) - set(frame.columns)):
        raise BadHistory(f"{path}: column {missing[0]} is missing; each row is one {name} event, see docs/contracts")
    newest = frame["event_time"].cum_max().to_numpy().astype(np.int64)
    placed = {shopper: partition_of(shopper.encode(), partitions) for shopper in frame["shopper"].unique()}
    partition = frame["shopper"].replace_strict(placed, return_dtype=pl.Int64)
    inside = [(partition == number).arg_true() for number in range(partitions)]
    return [EventLog(name, frame[rows], newest[rows.to_numpy()]) for rows in inside]


def _file(name: EventName) -> str:
    return f"{name}.parquet"


@cache
def _required(name: EventName) -> frozenset[str]:
    import msgspec

    fields: tuple[Any, ...] = msgspec.structs.fields(EVENT_TYPES[name])
    return frozenset(field.name for field in fields if field.required)
