"""Milvus connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.reach import until_reachable
from infra.settings import Settings

if TYPE_CHECKING:
    from pymilvus import MilvusClient


def connect(settings: Settings, timeout_s: float = 60.0) -> MilvusClient:
    """A client of the Milvus server, once it lists its collections (an open port is not yet an answer).

    Raises:
        Unreachable: no answer within `timeout_s`.
    """
    from pymilvus import MilvusClient

    def attempt() -> MilvusClient:
        client = MilvusClient(uri=settings.milvus_uri, token=settings.milvus_token, timeout=5)
        client.list_collections()
        return client

    return until_reachable(f"Milvus at {settings.milvus_uri}", attempt, timeout_s)
