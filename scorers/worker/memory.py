"""What a shard must not forget: what each of its campaigns was last told, and what its seller dismissed.

All else (candidates, vectors, who depends on what) is computed again after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct


class Told(Struct, frozen=True, array_like=True):
    """A keyword as it stood in the set last told."""

    canonical: str
    value: float
    adopted: bool
    surging: bool = False
    """It was told while it surged."""


class CampaignMemory(Struct, frozen=True, array_like=True):
    """One campaign. A closed one is remembered for its version, should it open again."""

    version: int = 0
    """Of the set last told; 0 when none was."""
    told_at: int = 0
    told: tuple[Told, ...] = ()
    """Best first."""
    dismissed: frozenset[str] = frozenset()
    closed: bool = False
    live: bool = False
    """The topic holds a set of this campaign: a closed one still needs its tombstone."""
    exposed: frozenset[str] = frozenset()
    """Checksums of the plans to whose experiments it is exposed."""

    @property
    def listed(self) -> list[str]:
        """All keywords told, adopted ones included, best first."""
        return [keyword.canonical for keyword in self.told]

    @property
    def suggested(self) -> dict[str, float]:
        """The keywords told that were not yet adopted, with their values, best first."""
        return {keyword.canonical: keyword.value for keyword in self.told if not keyword.adopted}

    def surging(self, since_ms: int) -> frozenset[str]:
        """The keywords of which a surge was told, if the last telling is no older than `since_ms`."""
        if self.told_at < since_ms:
            return frozenset()
        return frozenset(keyword.canonical for keyword in self.told if keyword.surging)


class _Entry(Struct, frozen=True, array_like=True):
    """Of the journal, and the snapshot."""

    campaigns: dict[str, CampaignMemory]
    ends: dict[str, int]


class ShardState:
    """The campaigns of a shard. What changed since the last `take_entry` is the journal's next entry."""

    def __init__(self) -> None:
        self._campaigns: dict[str, CampaignMemory] = {}
        self._changed: set[str] = set()
        self.ends: dict[str, int] = {}
        """By topic, the offset up to which all that the shard published there is in this state. Noted with the next
        change: it only saves a restart from reading more."""

    def __getitem__(self, campaign: str) -> CampaignMemory:
        return self._campaigns[campaign]

    def __setitem__(self, campaign: str, memory: CampaignMemory) -> None:
        self._campaigns[campaign] = memory
        self._changed.add(campaign)

    def __contains__(self, campaign: str) -> bool:
        return campaign in self._campaigns

    def get(self, campaign: str) -> CampaignMemory:
        """What is remembered of a campaign, or of one never heard of."""
        return self._campaigns.get(campaign, CampaignMemory())

    def open(self) -> list[str]:
        """Campaigns that are not closed."""
        return [campaign for campaign, memory in self._campaigns.items() if not memory.closed]

    def closing(self) -> set[str]:
        """Closed campaigns that still need a tombstone."""
        return {campaign for campaign, memory in self._campaigns.items() if memory.closed and memory.live}

    def take_entry(self) -> bytes | None:
        """What changed, encoded; None when nothing did."""
        if not self._changed:
            return None
        changed = {campaign: self._campaigns[campaign] for campaign in sorted(self._changed)}
        self._changed.clear()
        return msgspec.msgpack.encode(_Entry(changed, self.ends))

    def snapshot(self) -> bytes:
        """The whole state, encoded."""
        return msgspec.msgpack.encode(_Entry(self._campaigns, self.ends))

    @classmethod
    def restored(cls, snapshot: bytes | None, journal: Iterable[bytes]) -> ShardState:
        """The state that a snapshot and the entries after it say."""
        state = cls()
        for encoded in (*((snapshot,) if snapshot else ()), *journal):
            entry = msgspec.msgpack.decode(encoded, type=_Entry)
            state._campaigns.update(entry.campaigns)
            state.ends.update(entry.ends)
        return state
