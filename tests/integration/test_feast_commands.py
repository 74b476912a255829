"""Feast's own commands in the folder feature_repo, as a data scientist runs them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from redis import Redis

from feature_repo.repository import FOLDER
from feature_repo.vector_writer import VectorWriter
from infra.settings import load

pytestmark = pytest.mark.integration

FEAST = Path(sys.executable).with_name("feast")
SUMS = np.arange(24, dtype=np.float64)


@pytest.fixture(scope="module")
def environment(online_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings by environment: a home of its own, an online store that holds one item."""
    url = f"{online_redis_url.rsplit('/', 1)[0]}/7"
    redis = Redis.from_url(url)
    redis.flushdb()
    writer = VectorWriter(redis, load())
    writer.acquire(0, 1)
    writer.write(0, 1, ["item:A1"], SUMS[np.newaxis], 1_760_000_000_000)
    home = tmp_path_factory.mktemp("feast") / "home"
    return {**os.environ, "KEYPULSE_HOME": str(home), "KEYPULSE_ONLINE_REDIS_URL": url, "FEAST_USAGE": "False"}


@pytest.fixture(scope="module")
def applied(environment: dict[str, str]) -> str:
    return _feast(environment, "apply")


def _feast(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [FEAST, *arguments], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server(environment: dict[str, str], applied: str) -> Iterator[str]:
    """URL of a running `feast serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [FEAST, "serve", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"],
        cwd=FOLDER,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "feast serve ended"
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_apply_registers_everything_in_home(applied: str, environment: dict[str, str]) -> None:
    assert Path(environment["KEYPULSE_HOME"], "registry.db").exists()
    assert "item_sums" in applied


def test_feature_views_are_listed(applied: str, environment: dict[str, str]) -> None:
    listed = _feast(environment, "feature-views", "list")
    for name in ("item_sums", "pair_sums", "category_sums", "product", "campaign", "pair_derived"):
        assert name in listed


def test_serve_answers_with_what_was_written(server: str) -> None:
    body = {
        "features": ["item_sums:item_sums", "item_derived:item_ctr_1h"],
        "entities": {"item": ["A1", "nobody"], "category": ["shoes", "shoes"]},
    }
    request = urllib.request.Request(
        f"{server}/get-online-features", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    assert columns["item_sums"]["values"] == [SUMS.tolist(), None]
    assert columns["item_sums"]["statuses"] == ["PRESENT", "NOT_FOUND"]
    assert columns["item_ctr_1h"]["values"][0] > 0
