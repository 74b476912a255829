"""Milvus Lite, served over gRPC to this machine only, so that several processes share one data folder."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.milvus import client
from infra.settings import Settings


class MilvusLite:
    """The pure-Python Milvus server: fine to a few ten thousand keywords."""

    name = "milvus"
    setting = "milvus_uri"
    kind = "milvus-lite"

    def install(self) -> str:
        return version("milvus-lite")

    def command(self, folder: Path, port: int) -> list[str]:
        return [sys.executable, "-u", "-m", "infra.stack.milvus", str(folder / "data"), str(port)]

    def url(self, folder: Path, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def probe(self, settings: Settings) -> str | None:
        return str(client(settings, timeout_s=2).get_server_version()).removeprefix("milvus_lite-")


def serve(folder: str, port: int) -> None:
    """Serve until SIGTERM, then close the data folder in order."""
    from milvus_lite.adapter.grpc.server import run_server

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt  # what run_server takes as its sign to close

    signal.signal(signal.SIGTERM, stop)
    run_server(data_dir=folder, host="127.0.0.1", port=port)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
