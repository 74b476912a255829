"""A multi-layer perceptron over standardised quantities and embedded categories, in PyTorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from scorers.ranking.model import PairModel
from scorers.ranking.neural import Network, Neural
from scorers.ranking.preparation import Preparation, prepare
from scorers.training.examples import Examples, Features, check
from scorers.training.learners.learner import Parameters, Watch
from scorers.training.measures import WATCHED, Curve, Round, measure

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

    def forward(self, quantities: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """n log-odds."""
        embedded = [embedding(codes[:, at]) for at, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([quantities, *embedded], dim=1)).squeeze(1)


class NeuralLearner:
    """See `Learner`. A round is an epoch."""

    defaults: ClassVar[Parameters] = {"width": 64, "dropout": 0.3, "rate": 0.003, "decay": 0.001}

    def __init__(self, features: Features) -> None:
        self._features = features

    def fit(
        self, target: str, training: Examples, validation: Examples, parameters: Parameters, watch: Watch
    ) -> tuple[Network, Curve]:
        """See `Learner`."""
        check(target, training, validation)
        torch.manual_seed(_SEED)
        preparation = prepare(training.matrix, self._features.names, self._features.types)
        network = Perceptron(
            len(preparation.columns), preparation.categories, parameters["width"], parameters["dropout"]
        )
        optimiser = torch.optim.AdamW(network.parameters(), lr=parameters["rate"], weight_decay=parameters["decay"])
        rows = _tensors(preparation, training)
        outcomes = torch.from_numpy(training.labels.astype(np.float32))
        weights = torch.from_numpy(training.weights / training.weights.mean())
        examined = torch.from_numpy(training.examined.astype(np.float32))
        watched = training.some(WATCHED)
        judged = [(examples, _tensors(preparation, examples)) for examples in (watched, validation)]
        curve, best = Curve(), network.state_dict()
        for epoch in range(1, _MOST_EPOCHS + 1):
            network.train()
            for batch in torch.randperm(len(training)).split(_BATCH):
                optimiser.zero_grad()
                odds = network(*(column[batch] for column in rows))
                _loss(odds, outcomes[batch], weights[batch], examined[batch]).backward()
                optimiser.step()
            seen, unseen = (measure(examples, _log_odds(network, tensors), WATCHED) for examples, tensors in judged)
            curve.rounds.append(Round(target, epoch, _MOST_EPOCHS, seen, unseen))
            watch(curve.rounds[-1])
            if curve.best.number == epoch:
                best = {name: value.clone() for name, value in network.state_dict().items()}
            elif epoch - curve.best.number >= _PATIENCE:
                break
        network.load_state_dict(best)
        return _exported(network.eval(), preparation), curve

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


def _loss(odds: torch.Tensor, outcomes: torch.Tensor, weights: torch.Tensor, examined: torch.Tensor) -> torch.Tensor:
    predicted = (examined * torch.sigmoid(odds)).clamp(1e-6, 1 - 1e-6)
    return torch.nn.functional.binary_cross_entropy(predicted, outcomes, weights)


def _tensors(preparation: Preparation, examples: Examples) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(preparation.apply(examples.matrix)),
        torch.from_numpy(preparation.codes(examples.matrix)),
    )


def _log_odds(network: Perceptron, rows: tuple[torch.Tensor, torch.Tensor]) -> NDArray[np.float32]:
    network.eval()
    with torch.no_grad():
        odds: NDArray[np.float32] = network(*rows).numpy()
    return odds
