"""`torchrun --nproc_per_node=2 -m scorers.training.towers --history DIR`: the same training by several processes."""

from __future__ import annotations

import argparse
from pathlib import Path

from scorers.training.towers.run import OPTIONS, train_command


def main() -> None:
    """Read the arguments of `keypulse train towers` and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--towers", choices=list(OPTIONS), default="static")
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    train_command(arguments.history, arguments.towers, arguments.epochs)


if __name__ == "__main__":
    main()
