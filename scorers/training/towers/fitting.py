"""Fits the towers: epochs over the pairs, until the validation's recall stops rising.

Under torchrun each process computes its share of every batch; gradients are those of the whole batch in one process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from scorers.training.processes import world
from scorers.training.towers import loss
from scorers.training.towers.checkpoint import Checkpoint, Epoch
from scorers.training.towers.gathering import gathered
from scorers.training.towers.model import Towers
from scorers.training.towers.negatives import KnownPairs, Matrix, hard_negatives
from scorers.training.towers.pairs import Ints, Pairs, TowerData
from scorers.training.towers.texts import TowerInputs

DEPTH = 100
_EMBEDDED_AT_ONCE = 512


@dataclass(frozen=True)
class Options:
    """How to train. The defaults were found on a simulated market; docs/models.md has the figures."""

    batch: int = 512
    """Over all processes."""
    epochs: int = 20
    """At most."""
    patience: int = 3
    """Epochs without a better recall before it ends."""
    rate: float = 2e-3
    """Learning rate; Adam."""
    pull: float = 0.01
    """How far, of the way back, the text part is drawn to where it started after each step: words that this market uses
    its own way still mean elsewhere what they meant."""
    hard: int = 4
    """Hard negatives a product."""
    mixed_precision: bool = False
    seed: int = 7


@dataclass(frozen=True)
class Fitted:
    """The best weights and how it went."""

    weights: dict[str, Tensor]
    epochs: list[Epoch]
    """The first one is epoch 0: the towers as they were before."""

    @property
    def best(self) -> Epoch:
        """The epoch of the weights."""
        return best_of(self.epochs)


def best_of(epochs: list[Epoch]) -> Epoch:
    """The one with the highest recall; of equals the first."""
    return max(epochs, key=lambda one: (one.recall_at_100, -one.epoch))


class Fitting:
    """One training."""

    def __init__(self, towers: Towers, data: TowerData, inputs: TowerInputs, options: Options) -> None:
        self._towers = towers
        self._data = data
        self._inputs = inputs
        self._options = options
        self._rank, self._processes = world()
        self._model = DistributedDataParallel(towers) if self._processes > 1 else towers
        self._known = KnownPairs(data.training, len(data.keywords))
        shares = np.bincount(data.training.keyword, minlength=len(data.keywords)) / len(data.training)
        self._log_share = np.log(np.maximum(shares, 0.5 / len(data.training))).astype(np.float32)
        self._start = {name: value.detach().clone() for name, value in towers.text.named_parameters()}
        self._optimiser = torch.optim.Adam(towers.parameters(), lr=options.rate)

    def run(
        self,
        checkpoint: Checkpoint | None = None,
        advance: Callable[[int, int], None] = lambda done, total: None,
        tell: Callable[[Epoch], None] = lambda epoch: None,
    ) -> Fitted:
        """Train to the end, from where the checkpoint stands, if there is one. `advance` is told batches, `tell` each
        epoch."""
        best, epochs = checkpoint.restore(self._towers, self._optimiser) if checkpoint else ({}, [])
        if not epochs:
            best, epochs = self._weights(), [self._judged(0, None, time.perf_counter())]
        for epoch in epochs:
            tell(epoch)
        while not self._over(epochs):
            begun = time.perf_counter()
            mean = self._epoch(len(epochs), advance)
            epochs = [*epochs, self._judged(len(epochs), mean, begun)]
            tell(epochs[-1])
            if best_of(epochs) is epochs[-1]:
                best = self._weights()
            if checkpoint and self._rank == 0:
                checkpoint.save(self._towers, best, self._optimiser, epochs)
        return Fitted(best, epochs)

    def _over(self, epochs: list[Epoch]) -> bool:
        return (
            epochs[-1].epoch >= self._options.epochs
            or epochs[-1].epoch - best_of(epochs).epoch >= self._options.patience
        )

    def _epoch(self, number: int, advance: Callable[[int, int], None]) -> float:
        """One pass over the pairs; the mean loss."""
        rng = np.random.default_rng([self._options.seed, number])
        self._towers.train()
        mined = self._mined(rng)
        order = rng.permutation(len(self._data.training))
        size = min(self._options.batch, len(order) // self._processes * self._processes)
        batches = len(order) // size
        total = 0.0
        for batch in range(batches):
            total += self._step(order[batch * size : (batch + 1) * size], mined)
            advance(batch + 1, batches)
        return total / batches

    def _mined(self, rng: np.random.Generator) -> tuple[Ints, int]:
        if not self._options.hard:
            return np.zeros((len(self._data.products), 0), np.int64), 1
        products, keywords = embedded(self._towers, self._inputs)
        return hard_negatives(products, keywords, self._known, self._options.hard, rng)

    def _step(self, batch: Ints, mined: tuple[Ints, int]) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._options.mixed_precision):
            value = self.batch_loss(self._data.training, batch, mined)
        self._optimiser.zero_grad(set_to_none=True)
        value.backward()
        self._optimiser.step()
        if self._options.pull:
            with torch.no_grad():
                for name, parameter in self._towers.text.named_parameters():
                    parameter.lerp_(self._start[name], self._options.pull)
        return float(value.detach())

    def batch_loss(self, pairs: Pairs, batch: Ints, mined: tuple[Ints, int]) -> Tensor:
        """The batch's weighted mean loss; in each process the part of its share, so scaled that the mean is the whole.

        `batch`: rows of `pairs`, the whole batch's, the same in every process.
        """
        share = batch.reshape(self._processes, -1)[self._rank]
        negatives, pool = mined[0][pairs.product[share]], mined[1]
        asked = np.concatenate([pairs.keyword[share], negatives.ravel()])
        products, keywords = self._model(
            self._inputs.of_products(pairs.product[share]), self._inputs.of_keywords(asked)
        )
        columns = loss.Columns(
            gathered(keywords[: len(share)].float()),
            torch.from_numpy(self._log_share[pairs.keyword[batch]] + np.float32(math.log(len(batch)))),
            torch.from_numpy(pairs.keyword[batch]),
        )
        own = torch.arange(len(share)) + self._rank * len(share)
        forbidden = torch.from_numpy(
            self._known.among(pairs.product[share][:, np.newaxis], pairs.keyword[batch][np.newaxis])
            | (pairs.keyword[share][:, np.newaxis] == pairs.keyword[batch][np.newaxis])
        )
        logits = loss.in_batch(products.float(), own, columns, forbidden)
        if negatives.size:
            vectors = keywords[len(share) :].float().reshape(*negatives.shape, -1)
            logits = torch.cat(
                [logits, loss.hard(products.float(), vectors, math.log(negatives.shape[1] / pool))], dim=1
            )
        weights = torch.from_numpy(pairs.weight)
        mine = (loss.losses(logits, own) * weights[torch.from_numpy(share)]).sum()
        return mine * self._processes / weights[torch.from_numpy(batch)].sum()

    def _judged(self, number: int, training_loss: float | None, begun: float) -> Epoch:
        """Judge the towers as they are; the same in every process."""
        self._towers.eval()
        told = torch.zeros(2, dtype=torch.float64)
        if self._rank == 0:
            products, keywords = embedded(self._towers, self._inputs)
            told[0] = self._validation_loss(products, keywords)
            told[1] = recall(products, keywords, self._data.validation, self._known)
        if self._processes > 1:
            dist.broadcast(told, src=0)
        return Epoch(number, training_loss, float(told[0]), float(told[1]), time.perf_counter() - begun)

    def _validation_loss(self, products: Matrix, keywords: Matrix) -> float:
        """Over all keywords, uncorrected: every one is there once."""
        pairs = self._data.validation
        logits = loss.SCALE * torch.from_numpy(products[pairs.product]) @ torch.from_numpy(keywords).T
        each = loss.losses(logits, torch.from_numpy(pairs.keyword))
        return float(np.average(each.numpy(), weights=pairs.weight))

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._towers.state_dict().items()}


def embedded(towers: Towers, inputs: TowerInputs) -> tuple[Matrix, Matrix]:
    """Vectors of all products and all keywords, rows of length 1."""
    with torch.inference_mode():
        products = [towers.product(*inputs.of_products(rows)) for rows in _chunks(len(inputs.products.lengths))]
        keywords = [towers.keyword(*inputs.of_keywords(rows)) for rows in _chunks(len(inputs.keywords.lengths))]
        return torch.cat(products).numpy(), torch.cat(keywords).numpy()


def recall(products: Matrix, keywords: Matrix, pairs: Pairs, known: KnownPairs, depth: int = DEPTH) -> float:
    """Share of the pairs' keywords among their product's `depth` nearest, those known before left out."""
    asked, row_of = np.unique(pairs.product, return_inverse=True)
    found = 0
    for start in range(0, len(asked), _EMBEDDED_AT_ONCE):
        rows = asked[start : start + _EMBEDDED_AT_ONCE]
        scores = products[rows] @ keywords.T
        scores[known.of(rows)] = -np.inf
        if depth < scores.shape[1]:
            least = -np.partition(-scores, depth - 1, axis=1)[:, depth - 1]
        else:
            least = np.full(len(rows), -np.inf)
        mine = (row_of >= start) & (row_of < start + len(rows))
        found += int((scores[row_of[mine] - start, pairs.keyword[mine]] >= least[row_of[mine] - start]).sum())
    return found / len(pairs)


def _chunks(count: int) -> list[Ints]:
    return [np.arange(start, min(start + _EMBEDDED_AT_ONCE, count)) for start in range(0, count, _EMBEDDED_AT_ONCE)]
