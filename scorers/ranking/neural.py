"""P(click) and P(purchase | click) by a neural network, run by onnxruntime: workers need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

from scorers.ranking.model import TARGETS, Floats, Matrix
from scorers.ranking.preparation import Preparation

_THREADS = 1


@dataclass(frozen=True)
class Network:
    """One target's network."""

    preparation: Preparation
    onnx: bytes
    """Takes `quantities` and `codes`, gives log-odds."""
    safetensors: bytes
    """Its weights, to go on training from."""


class Neural:
    """The two trained networks."""

    kind = "neural"

    def __init__(self, networks: Mapping[str, Network]) -> None:
        """
        Raises:
            Exception: onnxruntime's, for a network that cannot be read.
        """
        self._networks = dict(networks)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
        self._sessions = {
            target: onnxruntime.InferenceSession(network.onnx, options) for target, network in networks.items()
        }

    @property
    def feature_names(self) -> list[str]:
        """The columns that the models were trained on, in order."""
        return self._networks[TARGETS[0]].preparation.features

    def log_odds(self, matrix: Matrix, target: str) -> Floats:
        """Of n rows."""
        preparation = self._networks[target].preparation
        given = {"quantities": preparation.apply(matrix), "codes": preparation.codes(matrix)}
        (answer,) = self._sessions[target].run(None, given)
        return np.asarray(answer, dtype=np.float64)

    def contributions(self, matrix: Matrix, target: str = "click", exact: bool = False) -> Floats:
        """By how much the log-odds fall when a feature is not known, n x features (occlusion). Always exact.

        Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
        """
        rows, features = matrix.shape
        hidden = np.repeat(matrix, features, axis=0)
        hidden[np.arange(rows * features), np.tile(np.arange(features), rows)] = np.nan
        without = self.log_odds(hidden, target).reshape(rows, features)
        return self.log_odds(matrix, target)[:, np.newaxis] - without

    def save(self, folder: Path) -> None:
        """Write `<target>.onnx`, `.safetensors` and `.json`, the preparation."""
        for target, network in self._networks.items():
            (folder / f"{target}.onnx").write_bytes(network.onnx)
            (folder / f"{target}.safetensors").write_bytes(network.safetensors)
            content = msgspec.json.format(msgspec.json.encode(network.preparation), indent=1)
            (folder / f"{target}.json").write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Neural:
        """Read what `save` wrote.

        Raises:
            OSError, msgspec.MsgspecError: a file is missing, or a preparation cannot be read.
            Exception: onnxruntime's, for a network that cannot be read.
        """
        return cls(
            {
                target: Network(
                    msgspec.json.decode((folder / f"{target}.json").read_bytes(), type=Preparation),
                    (folder / f"{target}.onnx").read_bytes(),
                    (folder / f"{target}.safetensors").read_bytes(),
                )
                for target in TARGETS
            }
        )
