"""One run at a time in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.failure import Failure


class InUse(Failure):
    """Another process works in the folder."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Have `folder` for this process, until the body or the process ends, however it does; `<folder>.lock` holds it.

    Raises:
        InUse: another process has it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(
                f"{folder}: another run works there; wait for it, or set KEYPULSE_HOME to another folder"
            ) from None
        yield
