"""The vectors of all processes' shares of a batch, with gradients: more processes mean more negatives, not fewer.

Each process computes the loss of its own rows against everybody's columns. A column's gradient is the sum of what all
processes' rows say of it, so the backward pass adds them up and hands each process the part that it computed.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from scorers.training.processes import world


def gathered(rows: Tensor) -> Tensor:
    """All processes' rows, rank after rank, with gradients; n x d to (processes x n) x d. All have as many rows."""
    if world()[1] == 1:
        return rows
    whole: Tensor = _Gather.apply(rows)
    return whole


class _Gather(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(world()[1])]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].contiguous()
        dist.all_reduce(summed)
        rank, processes = world()
        return summed.chunk(processes)[rank]
