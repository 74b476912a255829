"""`keypulse train towers` by torchrun in two processes, on the known model's tokenizer, and what workers make of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from infra.settings import load
from scorers.history import History
from scorers.retrieval.encoders import DEFAULT_MODEL, OnnxEncoder
from scorers.retrieval.export import ensure_export, towers_folder
from scorers.training.towers.distilled import IDENTITY, MEANING
from scorers.training.towers.run import Report
from streams.simulator.states import write_states
from tests.market import make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]

_PIECES = 30_522


def test_two_processes_train_towers_that_workers_use(tmp_path: Path) -> None:
    market = make_market(5, events=40_000, days=4.0, products=200, campaigns=40, keywords=800)
    make_past(market, tmp_path / "history")
    write_states(market, tmp_path / "history")
    # Distilling the model takes half a minute; where the towers start from does not matter here.
    start = np.random.default_rng(1).normal(size=(_PIECES, MEANING + IDENTITY)).astype(np.float32) / 20
    (tmp_path / "home" / "models").mkdir(parents=True)
    known = hashlib.sha256(DEFAULT_MODEL.encode()).hexdigest()[:12]
    np.save(tmp_path / "home" / "models" / f"distilled-{known}.npy", start)
    environment = os.environ | {"KEYPULSE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "scorers.training.towers", "--history", str(tmp_path / "history"), "--epochs", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("To use it") == 1  # one of them speaks

    folder = towers_folder(load(home=tmp_path / "home"))
    report = msgspec.json.decode((folder / "training.json").read_bytes(), type=Report)
    assert [epoch.epoch for epoch in report.epochs] == [0, 1, 2]
    assert report.epochs[report.best_epoch].recall_at_100 > report.epochs[0].recall_at_100
    assert abs(report.serving.recall_at_100 - report.serving.recall_at_100_fp32) < 0.02

    settings = load(home=tmp_path / "home", embedding_model=str(folder))
    encoder = OnnxEncoder(ensure_export(settings))
    assert encoder.name == report.encoder
    vectors = encoder.encode_products(History(tmp_path / "history").products[:10])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
