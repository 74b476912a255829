"""Versions of a Milvus collection behind one alias: the current one, and those that may still be needed.

Kept are the one before it, for roll-back, and the newest of another make (encoder and dictionary): workers whose bundle
is of that make search it until they take up a bundle that fits the current one.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from infra.failure import Failure

if TYPE_CHECKING:
    from pymilvus import MilvusClient


class IndexMissing(Failure):
    """There is no such index. The text says what to do."""


class Versions:
    """Collections named `<alias>_<build time>_<make>_<content>`, and the alias that readers use.

    Make and content are hashes of 8 digits. Milvus Lite keeps no description or property of a collection.
    """

    def __init__(self, client: MilvusClient, alias: str) -> None:
        self._client = client
        self._alias = alias

    def name(self, now_ms: int, make: str, content: bytes) -> str:
        """Of a collection of that make built now."""
        return f"{self._alias}_{now_ms}_{_digits(make.encode())}_{_digits(content)}"

    def current(self) -> str:
        """The collection behind the alias; empty when there is none. Asking for one that is missing logs an error."""
        if self._alias not in self._client.list_aliases()["aliases"]:
            return ""
        return str(self._client.describe_alias(self._alias)["collection_name"])

    def all(self) -> list[str]:
        """Our collections, oldest first."""
        ours = re.compile(re.escape(self._alias) + r"_\d{13}_[0-9a-f]{8}_[0-9a-f]{8}")
        return sorted(name for name in self._client.list_collections() if ours.fullmatch(name))

    def newest_of(self, make: str) -> str:
        """The newest collection of that make; empty when there is none."""
        return next((name for name in reversed(self.all()) if is_of(make, name)), "")

    def swap_in(self, name: str) -> None:
        """Point the alias to a collection, and drop those that are not kept."""
        before = self.current()
        self._point(name, before)
        others = [other for other in self.all() if other != name]
        of_another = [other for other in others if _make(other) != _make(name)]
        for other in others:
            if other not in (before, *of_another[-1:]):
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


def is_of(make: str, name: str) -> bool:
    """Whether the collection of that name is of that make."""
    return _make(name) == _digits(make.encode())


def _make(name: str) -> str:
    return name.rsplit("_", 2)[1]


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
