"""Event history on disk: one Parquet file an event type, rows in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.failure import Failure
from infra.murmur2 import partition_of
from streams.contracts.events import EVENT_TYPES, Event, EventName

_DECODED_AT_ONCE = 2_000


class BadHistory(Failure):
    """A history folder can't be used. The text names the file, the column and the cure."""

    exit_code = 2


@dataclass(frozen=True)
class EventLog:
    """The history of one event type in one shopper partition, in order of arrival."""

    name: EventName
    frame: pl.DataFrame
    newest: NDArray[np.int64]
    """Greatest event time of the whole history of this type up to each row, ms: grows, so it can be searched."""

    def events(self, end: int | None = None) -> Iterator[Event]:
        """The events of rows [0, end), checked as live ones are for types and ranges.

        Raises:
            BadHistory: a row is no such event.
        """
        decoder = msgspec.json.Decoder(EVENT_TYPES[self.name])
        for rows in self.frame[:end].iter_slices(_DECODED_AT_ONCE):
            # By way of JSON it takes half as long as building each event in Python, and values are checked.
            try:
                yield from decoder.decode_lines(rows.write_ndjson())
            except msgspec.ValidationError as error:
                raise BadHistory(f"{_file(self.name)}, in the rows from {rows[0, 'event_id']!r} on: {error}") from None


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
    fields: tuple[Any, ...] = msgspec.structs.fields(EVENT_TYPES[name])
    return frozenset(field.name for field in fields if field.required)
