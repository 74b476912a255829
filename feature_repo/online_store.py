"""The online store as Feast loads it (`online_store.type` in feature_store.yaml).

Feast's Redis store reads our bytes as they are. Two things differ: the server's address comes from Keypulse's settings,
and an entity without a row is reported as not found, where Feast says that its features are present and null.
"""

from __future__ import annotations

from collections.abc import ByteString, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from pydantic import Field

from feature_repo.repository import settings


def connection_string(url: str) -> str:
    """A Redis URL as Feast writes it: `redis://:secret@host:6380/2` is `host:6380,db=2,password=secret`."""
    parts = urlsplit(url)
    options = {
        "db": parts.path.strip("/"),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "ssl": "true" if parts.scheme == "rediss" else "",
    }
    given = [f"{name}={value}" for name, value in options.items() if value]
    return ",".join([f"{parts.hostname}:{parts.port or 6379}", *given])


class KeypulseRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """Feast's options for Redis; the address is `KEYPULSE_ONLINE_REDIS_URL` where none is given."""

    type: Literal["feature_repo.online_store.KeypulseRedisOnlineStore"] = (
        "feature_repo.online_store.KeypulseRedisOnlineStore"
    )
    connection_string: str = Field(default_factory=lambda: connection_string(settings().online_redis_url))


class KeypulseRedisOnlineStore(RedisOnlineStore):
    """Feast's Redis store, in which an unknown entity is not found."""

    def _get_features_for_entity(
        self, values: Sequence[ByteString | None], feature_view: str, requested_features: list[str]
    ) -> tuple[datetime | None, dict[str, Any] | None]:
        timestamp = values[requested_features.index(f"_ts:{feature_view}")]
        if timestamp is None:
            return None, None
        found: tuple[datetime | None, dict[str, Any] | None] = super()._get_features_for_entity(
            values, feature_view, requested_features
        )
        return found
