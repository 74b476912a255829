"""The neural ranker by torchrun in two processes: gradients of one, and from a history to a bundle that loads."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from feature_repo.archive import FeatureArchive
from feature_repo.memory import MemoryStore
from infra.settings import HOUR_MS, load
from scorers.ranking import bundle
from scorers.ranking.preparation import prepare
from scorers.training.exchange import examples_folder, read_examples
from scorers.training.learners.neural import NeuralLearner, Perceptron, Rows, share_of_loss
from scorers.training.measures import measure
from streams.backfill.run import SOURCE, Backfill
from streams.exactly_once import MemoryCheckpoints
from streams.simulator.states import write_states
from tests.clicks import FEATURES, make_examples
from tests.market import make_market, make_past

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def gradients(rank: int, processes: int, rendezvous: str, out: str) -> None:
    """Of one batch, whose parts are unequal; rank 0 saves them."""
    torch.set_num_threads(1)
    if processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=processes)
    torch.manual_seed(3)
    examples = make_examples(400, 1)
    preparation = prepare(examples.matrix, FEATURES.names, FEATURES.types)
    network = Perceptron(len(preparation.columns), preparation.categories, 16, dropout=0.0)
    model = DistributedDataParallel(network) if processes > 1 else network
    rows = Rows.of(examples, preparation, torch.device("cpu"))
    share_of_loss(model, rows, torch.randperm(400)[:151]).backward()
    if rank == 0:
        torch.save({name: parameter.grad for name, parameter in network.named_parameters()}, out)
    if processes > 1:
        dist.destroy_process_group()


def test_two_processes_have_the_gradients_of_one_with_the_joined_batch(tmp_path: Path) -> None:
    gradients(0, 1, "", str(tmp_path / "one"))
    spawn = multiprocessing.get_context("spawn")
    arguments = (2, str(tmp_path / "rendezvous"), str(tmp_path / "two"))
    both = [spawn.Process(target=gradients, args=(rank, *arguments)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    one, two = torch.load(tmp_path / "one"), torch.load(tmp_path / "two")
    assert len(one) == 8  # two embeddings, three layers
    for name, gradient in one.items():
        assert gradient.abs().max() > 1e-4
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-7)


def test_two_processes_train_a_bundle_that_a_worker_loads(tmp_path: Path) -> None:
    market = make_market(5, events=80_000, days=4.0, products=300, campaigns=80, keywords=1_000)
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
