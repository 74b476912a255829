"""`torchrun --nproc_per_node=2 -m scorers.training --history DIR`: the neural ranker, trained by several processes.

One process is one GPU, where there are GPUs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.failure import Failure
from infra.stack.state import settings
from scorers.training.command import source_of, train_command
from scorers.training.following import dismiss, follow
from scorers.training.processes import own_device, processes
from streams.canonical import home_forms


def main() -> None:
    """Read the arguments of `keypulse train ranker --model neural` and train; wrong input is one line and code 2."""
    try:
        _train(_arguments())
    except Failure as failure:
        print(f"keypulse: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--cleared", action="store_true")
    parser.add_argument("--challenger", action="store_true")
    return parser.parse_args()


def _train(arguments: argparse.Namespace) -> None:
    with processes(own_device()) as rank:
        if rank:
            follow()
            return
        source = source_of(arguments.history, arguments.tables, arguments.cleared, home_forms(settings()))
        train_command(source, "neural", 0, arguments.challenger, "torchrun")
        dismiss()


if __name__ == "__main__":
    main()
