"""Where a training stands, so that it goes on after an interruption: tensors as safetensors, the rest as JSON."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Epoch(msgspec.Struct, frozen=True):
    """What one epoch came to."""

    epoch: int
    training_loss: float | None
    """None before any training."""
    validation_loss: float
    recall_at_100: float
    """Of the validation pairs' keywords, among all keywords that the product was not clicked under before."""
    seconds: float


class Standing(msgspec.Struct, frozen=True):
    """Beside the tensors."""

    fingerprint: str
    """Of data and options: a training goes on only with the same."""
    epochs: list[Epoch]


class Checkpoint:
    """One folder, replaced as a whole after each epoch."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def save(
        self, towers: nn.Module, best: dict[str, Tensor], optimiser: torch.optim.Optimizer, epochs: list[Epoch]
    ) -> None:
        """Write where the training stands after the last of `epochs`; `best` are the best epoch's weights."""
        aside = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save_file(towers.state_dict(), aside / "towers.safetensors")
        save_file(best, aside / "best.safetensors")
        save_file(_tensors(optimiser), aside / "optimiser.safetensors")
        standing = Standing(self._fingerprint, epochs)
        (aside / "standing.json").write_bytes(msgspec.json.format(msgspec.json.encode(standing), indent=1))
        shutil.rmtree(self._folder, ignore_errors=True)
        aside.rename(self._folder)

    def restore(self, towers: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[Epoch]]:
        """Bring towers and optimiser to where the training stood; the best weights and the epochs so far.

        Nothing is restored, and no epoch returned, when there is no checkpoint of this very training.
        """
        path = self._folder / "standing.json"
        if not path.exists():
            return {}, []
        standing = msgspec.json.decode(path.read_bytes(), type=Standing)
        if standing.fingerprint != self._fingerprint:
            return {}, []
        towers.load_state_dict(load_file(self._folder / "towers.safetensors"))
        _load_tensors(optimiser, load_file(self._folder / "optimiser.safetensors"))
        return load_file(self._folder / "best.safetensors"), standing.epochs

    def remove(self) -> None:
        """Once the training is over."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {f"{number}.{name}": value for number, of_one in state.items() for name, value in of_one.items()}


def _load_tensors(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    whole = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**whole, "state": state})
