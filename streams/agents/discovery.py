"""Keywords never seen before, into the keyword index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from infra.topics import Topics
from streams.contracts.messages import KeywordsSeen
from streams.exactly_once import Outgoing
from streams.stage import Record


class KeywordIndex(Protocol):
    """Where keywords can be found: the scorers' index, handed in from above."""

    def add(self, keywords: Sequence[tuple[str, str]]) -> None:
        """Add keywords (canonical, as typed) that it lacks."""
        ...


class DiscoveryAgent:
    """Keywords that shoppers typed for the first time, into the index, so that they can be suggested."""

    name = "discovery"

    def __init__(self, topics: Topics, index: KeywordIndex) -> None:
        self.topic = topics.keywords_seen
        self._index = index
        self._decoder = msgspec.msgpack.Decoder(KeywordsSeen)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Several partitions report a keyword each, and again after a crash: the first text of each is handed on."""
        texts: dict[str, str] = {}
        for record in records:
            for canonical, text in self._decoder.decode(record.value or b"").keywords:
                texts.setdefault(canonical, text)
        if texts:
            self._index.add(list(texts.items()))
        return []
