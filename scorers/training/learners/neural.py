"""A multi-layer perceptron over standardised quantities and embedded categories, in PyTorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from scorers.ranking.model import PairModel
from scorers.ranking.neural import Network, Neural
from scorers.ranking.preparation import Preparation, prepare
from scorers.training.examples import Examples, Features, check
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.measures import WATCHED, Curve, Round, measure
from scorers.training.processes import own_device, told_by_the_first, world

_BATCH = 2_048
_MOST_EPOCHS = 40
_PATIENCE = 4
_SEED = 7
_WIDEST_EMBEDDING = 8


class Perceptron(torch.nn.Module):  # type: ignore[misc]
    """Log-odds of n rows, from n x columns of quantities and n x categories of codes."""

    def __init__(self, columns: int, categories: Mapping[str, int], width: int, dropout: float) -> None:
        super().__init__()
        sizes = [(count + 1, min(_WIDEST_EMBEDDING, 1 + count // 2)) for count in categories.values()]
        self.embeddings = torch.nn.ModuleList(torch.nn.Embedding(*size) for size in sizes)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(columns + sum(dimension for _, dimension in sizes), width),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width, width // 2),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(width // 2, 1),
        )

    def forward(self, quantities: Tensor, codes: Tensor) -> Tensor:
        """n log-odds."""
        embedded = [embedding(codes[:, at]) for at, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([quantities, *embedded], dim=1)).squeeze(1)


class NeuralLearner:
    """See `Learner`. A round is an epoch. Of torchrun's processes each computes a part of every batch."""

    defaults: ClassVar[Parameters] = {"width": 64, "dropout": 0.3, "rate": 0.003, "decay": 0.001}

    def __init__(self, features: Features) -> None:
        self.features = features

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[Network, Curve]:
        """See `Learner`."""
        check(target, training, validation)
        rank, processes = world()
        device = own_device()
        torch.manual_seed(_SEED)
        preparation = prepare(training.matrix, self.features.names, self.features.types)
        network = Perceptron(
            len(preparation.columns), preparation.categories, parameters["width"], parameters["dropout"]
        ).to(device)
        model = DistributedDataParallel(network) if processes > 1 else network
        optimiser = torch.optim.AdamW(network.parameters(), lr=parameters["rate"], weight_decay=parameters["decay"])
        rows = Rows.of(training, preparation, device)
        watched = training.some(WATCHED)
        judged = [(examples, Rows.of(examples, preparation, device)) for examples in (watched, validation)]
        order = torch.Generator().manual_seed(_SEED)
        torch.manual_seed(_SEED + rank)  # each process drops out other units
        curve, best = Curve(), network.state_dict()
        for epoch in range(1, _MOST_EPOCHS + 1):
            network.train()
            for batch in torch.randperm(len(training), generator=order).split(_BATCH):
                optimiser.zero_grad()
                share_of_loss(model, rows, batch).backward()
                optimiser.step()
            seen, unseen = (measure(examples, _log_odds(network, of), WATCHED) for examples, of in judged)
            curve.rounds.append(told_by_the_first(Round(target, epoch, _MOST_EPOCHS, seen, unseen)))
            watch(curve.rounds[-1])
            if curve.best.number == epoch:
                best = {name: value.clone() for name, value in network.state_dict().items()}
            elif epoch - curve.best.number >= _PATIENCE:
                break
        network.load_state_dict(best)
        return _exported(network.cpu().eval(), preparation), curve

    def model(self, parts: Mapping[str, Any]) -> PairModel:
        """See `Learner`."""
        return Neural(parts)

    def suggest(self, trial: Any) -> Parameters:
        """See `Learner`."""
        return {
            "width": trial.suggest_categorical("width", [32, 64, 128]),
            "dropout": trial.suggest_float("dropout", 0.0, 0.6),
            "rate": trial.suggest_float("rate", 0.0005, 0.01, log=True),
            "decay": trial.suggest_float("decay", 1e-5, 0.1, log=True),
        }


def _exported(network: Perceptron, preparation: Preparation) -> Network:
    example = (torch.zeros(2, len(preparation.columns)), torch.zeros(2, len(preparation.categories), dtype=torch.int64))
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            example,
            graph,
            input_names=["quantities", "codes"],
            output_names=["log_odds"],
            dynamic_axes={"quantities": {0: "rows"}, "codes": {0: "rows"}, "log_odds": {0: "rows"}},
            opset_version=17,
            dynamo=False,
        )
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    return Network(preparation, graph.getvalue(), save(weights))


@dataclass(frozen=True)
class Rows:
    """Examples as tensors on a device, n rows each."""

    quantities: Tensor
    codes: Tensor
    outcomes: Tensor
    weights: Tensor
    """1 on average."""
    examined: Tensor

    @classmethod
    def of(cls, examples: Examples, preparation: Preparation, device: torch.device) -> Rows:
        """The examples, prepared."""
        columns = (
            preparation.apply(examples.matrix),
            preparation.codes(examples.matrix),
            examples.labels.astype(np.float32),
            examples.weights / examples.weights.mean(),
            examples.examined.astype(np.float32),
        )
        return cls(*(torch.from_numpy(column).to(device) for column in columns))


def share_of_loss(model: torch.nn.Module, rows: Rows, batch: Tensor) -> Tensor:
    """This process's part of a batch's mean loss; `batch` are the numbers of its rows, the same in all processes.

    It is so scaled that the mean of the processes' gradients, which DistributedDataParallel takes, is the gradient of
    the whole batch's mean loss, however unequal the parts.
    """
    rank, processes = world()
    own = batch[rank::processes].to(rows.outcomes.device)
    odds = model(rows.quantities[own], rows.codes[own])
    predicted = (rows.examined[own] * torch.sigmoid(odds)).clamp(1e-6, 1 - 1e-6)
    losses = torch.nn.functional.binary_cross_entropy(predicted, rows.outcomes[own], rows.weights[own], reduction="sum")
    return losses * processes / len(batch)


def _log_odds(network: Perceptron, rows: Rows) -> NDArray[np.float32]:
    network.eval()
    with torch.no_grad():
        odds: NDArray[np.float32] = network(rows.quantities, rows.codes).cpu().numpy()
    return odds
