"""Log lines: UTC time, level, where from, what. On standard error, so that output stays clean for scripts."""

from __future__ import annotations

import logging
import re
import time

_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s"
_NOISY = ("grpc", "faiss", "aiokafka", "urllib3", "feast", "sentence_transformers")

_REPETITIVE = ("librdkafka", "aiokafka")
"""Clients that look for a lost broker ten times a second and more, and say so each time."""

REPEATED_AFTER_S = 10.0


class Unrepeated(logging.Filter):
    """Drops a line of a repetitive client that but for its milliseconds was logged within the last seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_REPETITIVE):
            return True
        line = re.sub(r"\d+ms", "", record.getMessage())
        if record.created - self._logged.get(line, 0.0) < REPEATED_AFTER_S:
            return False
        lately = list(self._logged.items())  # at once, as clients log from threads of their own
        self._logged = {line: at for line, at in lately if record.created - at < REPEATED_AFTER_S}
        self._logged[line] = record.created
        return True


def setup(level: str = "INFO") -> None:
    """Send the process's log lines of `level` and above to standard error. Call once, from a command."""
    formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(Unrepeated())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> logging.Logger:
    """The logger of one module: `log = get_logger(__name__)`."""
    return logging.getLogger(name)
