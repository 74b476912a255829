"""The neural ranker by torchrun in two processes, from a history to a bundle that loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.archive import FeatureArchive
from feature_repo.memory import MemoryStore
from infra.settings import HOUR_MS, load
from scorers.ranking import bundle
from scorers.training.__main__ import main
from scorers.training.exchange import examples_folder, read_examples
from scorers.training.learners.neural import NeuralLearner
from scorers.training.measures import measure
from streams.backfill.run import SOURCE, Backfill
from streams.exactly_once import MemoryCheckpoints
from streams.simulator.states import write_states
from tests.clicks import FEATURES
from tests.market import make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_wrong_input_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "--history", "h", "--tables", "t"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("keypulse: give --history, ")


def test_two_processes_train_a_bundle_that_a_worker_loads(tmp_path: Path) -> None:
    market = make_market(5, events=50_000, days=4.0, products=200, campaigns=60, keywords=800)
    history, home = tmp_path / "history", tmp_path / "home"
    make_past(market, history)
    write_states(market, history)
    settings = load(home=home, bundle_path=home / "bundle", attribution_window_ms=6 * HOUR_MS)
    archive = FeatureArchive(settings.feature_log_path, SOURCE)
    Backfill(settings, MemoryCheckpoints(), MemoryStore(settings), archive).run(history)

    environment = os.environ | {
        "KEYPULSE_HOME": str(home),
        "KEYPULSE_BUNDLE_PATH": str(settings.bundle_path),
        "KEYPULSE_ATTRIBUTION_WINDOW_MS": str(settings.attribution_window_ms),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.getcwd(),
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "scorers.training", "--history", str(history)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("in use") == 1  # one of them speaks

    loaded = bundle.load(settings.bundle_path, settings)
    assert loaded.manifest.model == "neural"
    # As one process learns from the same examples, but for the units that drop out.
    training, validation = read_examples(examples_folder(settings) / "click.parquet", FEATURES)
    alone = NeuralLearner(FEATURES)
    _, curve = alone.fit("click", training, validation, alone.defaults, lambda done: None)
    together = measure(validation, loaded.models.model.log_odds(validation.matrix, "click"))
    assert together.log_loss == pytest.approx(curve.best.validation.log_loss, rel=0.01)
    assert together.log_loss < loaded.manifest.metrics["click_validation_log_loss_of_rate"]
