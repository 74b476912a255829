"""A started plan is frozen by its checksum: what was decided before outcomes were seen is told from what was not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from infra.failure import Failure
from scorers.experiments.plan import Plan, canonical, parse

PLAN = "plan.yaml"
_FROZEN = "frozen.json"


class NotStarted(Failure):
    """There is no such experiment."""

    exit_code = 2


class Frozen(msgspec.Struct, frozen=True):
    """What stood in the plan when it was started."""

    checksum: str
    frozen_at: int
    """ms."""
    plan: dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A started experiment: its plan as it stands now, and as it was frozen."""

    folder: Path
    plan: Plan
    frozen: Frozen

    @property
    def tables(self) -> Path:
        """Folder of the tables that the experiment is judged by."""
        return self.folder / "tables"

    @property
    def changed(self) -> list[str]:
        """Fields of the plan that are not what they were at the start."""
        now = msgspec.json.decode(msgspec.json.encode(canonical(self.plan)))
        return sorted(name for name in now if now[name] != self.frozen.plan.get(name))


def checksum(plan: Plan) -> str:
    """SHA-256 of the plan's meaning: every default spelled out, neither comments nor order of lines counting."""
    return hashlib.sha256(msgspec.json.encode(canonical(plan), order="deterministic")).hexdigest()


def freeze(source: Path, plan: Plan, experiments: Path, now_ms: int) -> Frozen:
    """Copy the plan into the experiment's folder and note its checksum.

    Raises:
        NotStarted: an experiment of that name was started with another plan.
    """
    folder = experiments / plan.name
    frozen = Frozen(checksum(plan), now_ms, canonical(plan))
    if (folder / _FROZEN).exists():
        before = load(experiments, plan.name).frozen
        if before.checksum != frozen.checksum:
            raise NotStarted(
                f"{plan.name} was started already with another plan (checksum {before.checksum[:12]}, this one "
                f"{frozen.checksum[:12]}); give the changed plan a new name: a plan is not changed under way"
            )
        return before
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PLAN).write_bytes(source.read_bytes())
    (folder / _FROZEN).write_bytes(msgspec.json.format(msgspec.json.encode(frozen), indent=2))
    return frozen


def load(experiments: Path, name: str) -> Started:
    """The experiment of that name.

    Raises:
        NotStarted: there is none.
    """
    folder = experiments / name
    try:
        frozen = msgspec.json.decode((folder / _FROZEN).read_bytes(), type=Frozen)
        return Started(folder, parse((folder / PLAN).read_text(), str(folder / PLAN)), frozen)
    except FileNotFoundError:
        raise NotStarted(
            f"no experiment {name!r} was started (started: {', '.join(known(experiments)) or 'none'}); "
            "start one by `keypulse experiment plan FILE.yaml --start`"
        ) from None


def known(experiments: Path) -> list[str]:
    """Names of the started experiments."""
    return sorted(path.parent.name for path in experiments.glob(f"*/{_FROZEN}"))
