"""The processes of a training that torchrun started: who is who, and what they speak through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")
_PATIENCE = timedelta(hours=2)
"""How long the others wait while the first process makes the examples."""


def world() -> tuple[int, int]:
    """This process's rank and how many processes there are; (0, 1) outside torchrun."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def own_device() -> torch.device:
    """The GPU that is this process's own, the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def told_by_the_first(thing: T) -> T:
    """What the first process has, so that all decide alike."""
    told = [thing]
    if world()[1] > 1:
        dist.broadcast_object_list(told)
    return told[0]


@contextmanager
def processes(device: torch.device) -> Iterator[int]:
    """Joins torchrun's processes, if it started this one; the rank. They speak by NCCL on GPUs, else by gloo."""
    if "RANK" not in os.environ:
        yield 0
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()
