"""Versions of a Milvus collection behind one alias: the current one, the one before it for roll-back, no older one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.failure import Failure

if TYPE_CHECKING:
    from pymilvus import MilvusClient


class IndexMissing(Failure):
    """There is no such index. The text says what to do."""


class Versions:
    """Collections named `<alias>_<build time>_<fingerprint>`, and the alias that readers use."""

    def __init__(self, client: MilvusClient, alias: str) -> None:
        self._client = client
        self._alias = alias

    def name(self, now_ms: int, fingerprint: str) -> str:
        """Of a collection built now; `fingerprint`: 8 hexadecimal digits."""
        return f"{self._alias}_{now_ms}_{fingerprint}"

    def current(self) -> str:
        """The collection behind the alias; empty when there is none. Asking for one that is missing logs an error."""
        if self._alias not in self._client.list_aliases()["aliases"]:
            return ""
        return str(self._client.describe_alias(self._alias)["collection_name"])

    def all(self) -> list[str]:
        """Our collections, oldest first."""
        ours = re.compile(re.escape(self._alias) + r"_\d{13}_[0-9a-f]{8}")
        return sorted(name for name in self._client.list_collections() if ours.fullmatch(name))

    def swap_in(self, name: str) -> None:
        """Point the alias to a collection; all but that one and the one before it are dropped."""
        before = self.current()
        self._point(name, before)
        for other in self.all():
            if other not in (name, before):
                self._client.drop_collection(other)

    def roll_back(self) -> str:
        """Point the alias to the collection before the current one, which stays; its name.

        Raises:
            IndexMissing: there is none.
        """
        current = self.current()
        older = [name for name in self.all() if name < current]
        if not older:
            raise IndexMissing(f"no collection older than {current or 'none'} to roll back to")
        self._client.load_collection(older[-1])
        self._point(older[-1], current)
        return older[-1]

    def _point(self, name: str, current: str) -> None:
        if current:
            self._client.alter_alias(collection_name=name, alias=self._alias)
        else:
            self._client.create_alias(collection_name=name, alias=self._alias)
