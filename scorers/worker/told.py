"""What readers were last told, read off `suggestions.campaign` itself. Pure.

The topic is the last word: should a checkpoint know less, it lost writes, and its next versions would be numbers that
readers have seen and drop.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from scorers.worker.memory import CampaignMemory, Told
from streams.contracts.messages import Reason
from streams.stage import Record


class _Suggestion(Struct, frozen=True):
    canonical: str
    score: float
    adopted: bool
    reasons: list[Reason]


class _Set(Struct, frozen=True):
    """What is needed of a `SuggestionSet`."""

    version: int
    created_at: int
    suggestions: list[_Suggestion]


_decoder = msgspec.json.Decoder(_Set)


def memories(records: Iterable[Record]) -> dict[str, CampaignMemory]:
    """What the records say of each campaign, given in the order of the topic.

    The version is the greatest of all. `live` is False after a tombstone, and when the last set is not the newest one:
    a checkpoint that was set back may have published its outbox again.
    """
    found: dict[str, CampaignMemory] = {}
    for record in records:
        campaign = (record.key or b"").decode()
        before = found.get(campaign, CampaignMemory())
        if record.value is None:
            found[campaign] = CampaignMemory(version=before.version, closed=True)
        else:
            told = _decoder.decode(record.value)
            found[campaign] = CampaignMemory(
                version=max(told.version, before.version),
                told_at=told.created_at,
                told=tuple(map(_told, told.suggestions)),
                live=told.version >= before.version,
            )
    return found


def _told(one: _Suggestion) -> Told:
    surging = any(reason.code == "surge" for reason in one.reasons)
    return Told(one.canonical, one.score, one.adopted, surging)
