"""What runs, written down: one JSON file in the stack's folder, by which any process finds the servers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from infra.settings import Settings, load

EXTERNAL = "external"
"""Kind of a server that the user runs and names by URL in the settings."""


@dataclass(frozen=True)
class Part:
    """One server of the stack. `pid`, `started` and `log` are empty for a server of the user's own."""

    name: str
    setting: str
    kind: str
    version: str
    url: str
    pid: int | None = None
    started: float | None = None
    """The process's start time in seconds since 1970: a pid alone may have passed to another process."""
    log: str | None = None

    @property
    def process(self) -> psutil.Process | None:
        """The running process, None when it has ended or is not ours."""
        try:
            process = psutil.Process(self.pid) if self.pid else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if abs(process.create_time() - (self.started or 0)) < 1 else None
        except psutil.NoSuchProcess:
            return None

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the server's log, indented."""
        path = Path(self.log) if self.log else None
        if path is None or not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            last = log.read().decode(errors="replace").splitlines()[-lines:]
        return "".join(f"    {line}\n" for line in last)


def folder(settings: Settings) -> Path:
    """The stack's folder: its state, logs and data."""
    return settings.home.absolute() / "stack"


def read(place: Path) -> list[Part]:
    """The parts as last written in the stack's folder `place`; none when there never was a stack."""
    try:
        return [Part(**part) for part in json.loads((place / "state.json").read_text())["parts"]]
    except FileNotFoundError:
        return []


def write(place: Path, parts: list[Part]) -> None:
    """Note the parts, all at once: a reader sees the old file or the new one."""
    unfinished = place / "state.json.new"
    unfinished.write_text(json.dumps({"parts": [asdict(part) for part in parts]}, indent=1))
    unfinished.rename(place / "state.json")


def settings(**overrides: Any) -> Settings:
    """Settings with the running stack's URLs; what the environment or `overrides` say explicitly comes first.

    A part that crashed counts as running: it will start again where it was.
    """
    given = load(**overrides)
    running = {part.setting: part.url for part in read(folder(given)) if part.pid}
    return load(**{name: url for name, url in running.items() if name not in given.model_fields_set} | overrides)


def parts(settings: Settings) -> dict[str, dict[str, str]]:
    """Kind and version of `kafka`, `redis`, `redis-online` and `milvus`, for reports."""
    return {part.name: {"kind": part.kind, "version": part.version} for part in read(folder(settings))}
