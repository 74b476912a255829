"""The newest state under each key of a batch from a compacted topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from streams.contracts.decoding import MessageDecoder
from streams.contracts.messages import CampaignState, ProductState
from streams.contracts.rejection import Rejected
from streams.deadletters.deadletter import DeadLetters
from streams.exactly_once import Outgoing
from streams.stage import Record

_State = TypeVar("_State", CampaignState, ProductState)


def last_of_each(
    records: Sequence[Record], decoder: MessageDecoder[_State], letters: DeadLetters, now_ms: int
) -> tuple[dict[str, _State | None], list[Outgoing]]:
    """The newest state by key, None for a tombstone; and dead letters of what is no state."""
    states: dict[str, _State | None] = {}
    buried = []
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        try:
            state = decoder.decode(record.value) if record.value else None
            _check_key(key, state)
        except Exception as error:  # one record's trouble, be it our fault, must not stop the others
            buried.append(letters.bad(record, error, now_ms))
        else:
            letters.good(record)
            states[key] = state
    return states, buried


def _check_key(key: str, state: CampaignState | ProductState | None) -> None:
    """Compaction keeps the last record of each key, so the key must name what the record is of."""
    if state is None:
        field, name = "$", key or None
    elif isinstance(state, CampaignState):
        field, name = "$.campaign", state.campaign
    else:
        field, name = "$.item", state.item
    if key != name:
        raise Rejected("invalid", field, f"got {name!r} under the record key {key!r}; send the same as key and here")
