"""The keyword index in Milvus: built aside, checked, swapped in by alias; keywords discovered live are added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.clock import Clock
from infra.log import get_logger
from infra.settings import Settings
from scorers.keywords.table import Keyword, is_public, private_to
from scorers.retrieval.encoders import Encoder
from scorers.retrieval.index_check import IndexBroken, check
from scorers.retrieval.neighbours import Hit
from scorers.retrieval.versions import IndexMissing, Versions, is_of
from streams.canonical import NO_VERSION, named
from streams.contracts.events import UNKNOWN_CATEGORY

if TYPE_CHECKING:
    from pymilvus import MilvusClient

log = get_logger(__name__)

__all__ = ["IndexBroken", "IndexMissing", "KeywordIndex"]

Search = Callable[[str, NDArray[np.float32], int], list[list[Hit]]]
"""Collection, vectors (rows of length 1) and limit to the hits of each row."""

FLAT_UP_TO = 50_000
"""Exact search up to so many keywords; HNSW above. Graph search on few vectors is no faster and loses recall."""
_BATCH = 2_000
_VERSION_TTL_MS = 10_000
"""To ask takes Milvus Lite 65 ms, beside which nothing is scored."""
_HNSW = {"M": 16, "efConstruction": 200}
_EF_PER_HIT, _LEAST_EF = 2, 64
"""How many nodes HNSW looks at."""
_FIELDS = ("canonical", "text", "category", "volume", "volume_last_day", "shoppers", "seller", "rivals", "status")


class KeywordIndex:
    """The collection behind the alias `settings.keyword_collection`, or, when that one is of another make than ours,
    the newest of ours: neither vectors of two encoders nor canonical forms of two dictionaries can be compared.

    A collection's name is the index version: alias, build time, and hashes of make and keywords.
    """

    def __init__(
        self, client: MilvusClient, settings: Settings, encoder: Encoder, clock: Clock, dictionary: str = NO_VERSION
    ) -> None:
        """`dictionary`: version of the one whose canonical forms the keywords are."""
        self._client = client
        self._alias = settings.keyword_collection
        self._counts_shoppers = settings.min_distinct_shoppers > 1
        self._versions = Versions(client, self._alias)
        self._encoder = encoder
        self._make = f"encoder {encoder.name}, {named(dictionary)}"
        self._clock = clock
        self._version = self._behind_alias = ""
        self._version_read_at = 0

    @property
    def version(self) -> str:
        """The collection that is searched, looked up at most once in `_VERSION_TTL_MS`.

        Raises:
            IndexMissing: none was built yet, or none of our make.
        """
        now = self._clock.now_ms()
        if not self._version or now - self._version_read_at >= _VERSION_TTL_MS:
            self._version, self._version_read_at = self._look_up(), now
        return self._version

    def _look_up(self) -> str:
        current = self._versions.current()
        if not current:
            raise IndexMissing(f"Milvus has no alias {self._alias!r}: run `keypulse index build --history DIR`")
        if current == self._behind_alias:
            return self._version
        found = current if is_of(self._make, current) else self._versions.newest_of(self._make)
        if not found:
            raise IndexMissing(
                f"the keyword index {current} is of another make than the bundle ({self._make}): run `keypulse index "
                "build --history DIR` with that encoder (setting embedding_model) and that dictionary published"
            )
        if found != current:
            log.warning("index %s is of another make than this bundle (%s); %s is searched", current, self._make, found)
        self._behind_alias = current
        return found

    def neighbours(self, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        """For each row up to `limit` active keywords by cosine, best first."""
        return self._search(self.version, vectors, limit) if len(vectors) else []

    def _search(self, collection: str, vectors: NDArray[np.float32], limit: int, **options: Any) -> list[list[Hit]]:
        found = self._client.search(
            collection,
            data=list(vectors),
            limit=limit,
            filter='status == "active"',
            output_fields=["canonical"],
            search_params={"metric_type": "COSINE", "params": {"ef": max(_EF_PER_HIT * limit, _LEAST_EF)}},
            **options,
        )
        return [[(hit["entity"]["canonical"], float(hit["distance"])) for hit in hits] for hits in found]

    def fetch(self, canonicals: Sequence[str]) -> tuple[list[Keyword], NDArray[np.float32]]:
        """Those of the keywords that the index holds, with their vectors."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(canonicals), _BATCH):
            ids = list(canonicals[start : start + _BATCH])
            rows += self._client.get(self.version, ids=ids, output_fields=[*_FIELDS, "vector"])
        width = len(rows[0]["vector"]) if rows else 0
        vectors = np.array([row["vector"] for row in rows], dtype=np.float32).reshape(len(rows), width)
        return [_keyword(row) for row in rows], vectors

    def add(self, keywords: Sequence[tuple[str, str]]) -> None:
        """Add keywords that shoppers typed, as (canonical, text); those already there for all to see stay as they are.
        Where more than one must have typed a keyword it is withheld until a build counts who did.

        The category is that of the nearest known keywords. Adding the same again changes nothing.
        """
        texts = dict(keywords)
        known, _ = self.fetch(list(texts))
        for keyword in known:
            if is_public(keyword):
                del texts[keyword.canonical]
        if not texts:
            return
        vectors = self._encoder.encode(list(texts.values()))
        categories = self._categories(vectors)
        fresh = [
            Keyword(
                canonical=canonical,
                text=text,
                category=category,
                volume=1,
                volume_last_day=1,
                shoppers=1,
                withheld=self._counts_shoppers,
            )
            for (canonical, text), category in zip(texts.items(), categories, strict=True)
        ]
        self._client.upsert(self.version, data=_rows(fresh, vectors))

    def build(
        self,
        keywords: Sequence[Keyword],
        vectors: NDArray[np.floating],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> str:
        """Write a new collection, check it and swap it in; the new version. `progress` is told how many rows
        are written and how many there are.

        Raises:
            IndexBroken: the new collection failed its check; it is dropped and the old index stays.
        """
        name = self._versions.name(self._clock.now_ms(), self._make, msgspec.msgpack.encode(keywords))
        self._create(name, len(keywords), vectors.shape[1])
        try:
            for start in range(0, len(keywords), _BATCH):
                batch = slice(start, start + _BATCH)
                self._client.insert(name, data=_rows(keywords[batch], vectors[batch]))
                progress(start + len(keywords[batch]), len(keywords))
            self._client.load_collection(name)
            written = np.asarray(vectors, dtype=np.float32)
            check(self._client, name, keywords, written, self._encoder, self._search_all)
        except BaseException:
            self._client.drop_collection(name)
            raise
        self._versions.swap_in(name)
        self._version = self._behind_alias = ""
        return name

    def roll_back(self) -> str:
        """As `Versions.roll_back`."""
        self._version = self._behind_alias = ""
        return self._versions.roll_back()

    def _search_all(self, collection: str, vectors: NDArray[np.float32], limit: int) -> list[list[Hit]]:
        """As readers search, over all that was written."""
        return self._search(collection, vectors, limit, consistency_level="Strong")

    def _create(self, name: str, rows: int, dimension: int) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("canonical", DataType.VARCHAR, is_primary=True, max_length=16_384)
        schema.add_field("text", DataType.VARCHAR, max_length=1_024)
        schema.add_field("category", DataType.VARCHAR, max_length=1_024)
        schema.add_field("status", DataType.VARCHAR, max_length=16)
        schema.add_field("seller", DataType.VARCHAR, max_length=64)  # who alone may see it; empty for all
        for count in ("volume", "volume_last_day", "shoppers", "rivals"):
            schema.add_field(count, DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        index = self._client.prepare_index_params()
        kind, params = ("FLAT", {}) if rows <= FLAT_UP_TO else ("HNSW", _HNSW)
        index.add_index("vector", index_type=kind, metric_type="COSINE", params=params)
        self._client.create_collection(name, schema=schema, index_params=index)

    def _categories(self, vectors: NDArray[np.float32]) -> list[str]:
        """For each vector the category of most of its nearest keywords."""
        found = self._client.search(
            self.version, data=list(vectors), limit=5, filter='status == "active"', output_fields=["category"]
        )
        near = [[hit["entity"]["category"] for hit in hits] for hits in found]
        return [max(sorted(set(names)), key=names.count) if names else UNKNOWN_CATEGORY for names in near]


def _rows(keywords: Sequence[Keyword], vectors: NDArray[np.floating]) -> list[dict[str, Any]]:
    return [
        {
            "canonical": keyword.canonical,
            "text": keyword.text,
            "category": keyword.category,
            "status": "active" if is_public(keyword) else "withheld",
            "seller": private_to(keyword),
            "volume": keyword.volume,
            "volume_last_day": keyword.volume_last_day,
            "shoppers": keyword.shoppers,
            "rivals": keyword.rivals,
            "vector": np.asarray(vector, dtype=np.float32).tolist(),
        }
        for keyword, vector in zip(keywords, vectors, strict=True)
    ]


def _keyword(row: dict[str, Any]) -> Keyword:
    known = {name: row[name] for name in _FIELDS if name not in ("seller", "status")}
    return Keyword(**known, sellers=[row["seller"]] if row["seller"] else [], withheld=row["status"] != "active")
