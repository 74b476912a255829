"""Columns of numbers to the JSON records that a producer sends."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from streams.contracts.events import EVENT_TYPES, EventName
from streams.simulator.columns import Columns
from streams.simulator.tables import Tables


def records(tables: Tables, name: EventName, columns: Columns) -> Iterator[tuple[int, bytes, bytes]]:
    """(event time in ms, key, JSON) of each event of one topic."""
    table: pa.Table = tables.table(name, columns)
    kind, encode = EVENT_TYPES[name], msgspec.json.Encoder().encode
    for row in table.to_pylist():
        event = kind(**row)
        yield event.event_time, event.shopper.encode(), encode(event)
