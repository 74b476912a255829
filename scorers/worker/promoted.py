"""Follows the promoted bundle: another version is loaded beside the work, and takes the place of the one before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from infra import metrics
from infra.clock import Clock
from infra.failure import Failure
from infra.log import get_logger

log = get_logger(__name__)

_EVERY_MS = 10_000

Loaded = TypeVar("Loaded")


class Promoted(Generic[Loaded]):
    """What was made of the promoted bundle, as of the last `poll`. Not thread-safe."""

    def __init__(self, version: Callable[[], str], load: Callable[[], Loaded], clock: Clock) -> None:
        """`version`: of the bundle that lies there; `load`: called at once, and later in a thread of its own.

        Raises:
            Failure: as they do.
        """
        self._version_there = version
        self._load = load
        self._clock = clock
        self._version = version()
        self.current = load()
        self._next_at = clock.now_ms() + _EVERY_MS
        self._pool = ThreadPoolExecutor(1, "promoted")
        self._loading: tuple[str, Future[Loaded]] | None = None
        self._refused = ""

    def poll(self) -> bool:
        """Whether `current` is another one now. One that can't be used is tried again; the one before goes on."""
        if self._loading and self._loading[1].done():
            version, loaded = self._loading
            self._loading = None
            return self._take(version, loaded)
        now = self._clock.now_ms()
        if not self._loading and now >= self._next_at:
            self._next_at = now + _EVERY_MS
            self._look()
        return False

    def _look(self) -> None:
        try:
            version = self._version_there()
        except Failure as refused:
            self._refuse(str(refused))
            return
        if version != self._version:
            self._loading = (version, self._pool.submit(self._load))
        elif self._refused:
            self._accept(version)

    def _take(self, version: str, loaded: Future[Loaded]) -> bool:
        try:
            self.current = loaded.result()
        except Exception as refused:  # whatever it is: work goes on with the bundle before
            self._refuse(f"{version}: {refused}")
            return False
        log.info("bundle %s takes the place of %s", version, self._version)
        self._accept(version)
        return True

    def _accept(self, version: str) -> None:
        self._version, self._refused = version, ""
        metrics.BUNDLE_REFUSED.set(0)

    def _refuse(self, why: str) -> None:
        """Said once."""
        if why != self._refused:
            log.error("the promoted bundle is not taken up, %s goes on: %s", self._version, why)
        self._refused = why
        metrics.BUNDLE_REFUSED.set(1)
