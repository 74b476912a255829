"""Log lines: UTC time, level, where from, what. On standard error, so that output stays clean for scripts."""

from __future__ import annotations

import logging
import time

_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s"
_NOISY = ("pymilvus", "grpc", "faiss", "aiokafka", "urllib3", "feast", "sentence_transformers")


def setup(level: str = "INFO") -> None:
    """Send the process's log lines of `level` and above to standard error. Call once, from a command."""
    formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> logging.Logger:
    """The logger of one module: `log = get_logger(__name__)`."""
    return logging.getLogger(name)
