"""The neural ranker in two processes has the gradients of one. Imports little, for each process imports it again."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from scorers.ranking.preparation import prepare
from scorers.training.learners.neural import Perceptron, Rows, share_of_loss
from tests.clicks import FEATURES, make_examples


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
