"""Milvus connections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from infra.reach import until_reachable
from infra.settings import Settings

if TYPE_CHECKING:
    from pymilvus import MilvusClient


_GRPC = {"grpc.keepalive_time_ms": 310_000}
"""pymilvus pings every 10 s; a gRPC server by default, as Milvus Lite's is, hangs up on who does so within 300 s."""


def connect(settings: Settings, timeout_s: float = 60.0) -> MilvusClient:
    """A client of the Milvus server, once it lists its collections (an open port is not yet an answer).

    Raises:
        Unreachable: no answer within `timeout_s`.
    """
    return until_reachable(f"Milvus at {settings.milvus_uri}", lambda: client(settings, timeout_s=5), timeout_s)


def client(settings: Settings, timeout_s: float) -> MilvusClient:
    """A client, in one try. Raises pymilvus's own errors."""
    from pymilvus import MilvusClient

    # What it raises it logs as well, with the stack; its import sets the level anew.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    new = MilvusClient(uri=settings.milvus_uri, token=settings.milvus_token, timeout=timeout_s, grpc_options=_GRPC)
    new.list_collections()
    return new
