"""A started plan is frozen by its checksum: what was decided before outcomes were seen is told from what was not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from infra.failure import Failure
from infra.settings import Settings
from scorers.experiments.plan import Plan, canonical, parse

PLAN = "plan.yaml"
_FROZEN = "frozen.json"


class NotStarted(Failure):
    """There is no such experiment."""

    exit_code = 2


class Tampered(Failure):
    """What was frozen at the start was changed: nobody knows any more what was decided."""


class Frozen(msgspec.Struct, frozen=True):
    """What stood in the plan when it was started."""

    checksum: str
    frozen_at: int
    """ms."""
    plan: dict[str, Any]

    def as_started(self) -> Plan:
        """The plan as it was at the start.

        Raises:
            Tampered: it does not fit its checksum.
        """
        if _checksum(self.plan) != self.checksum:
            raise Tampered(f"{_FROZEN}: plan does not fit checksum {self.checksum[:12]}; restore the file")
        return msgspec.convert(self.plan, Plan)


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
    return _checksum(canonical(plan))


def _checksum(plan: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(plan, order="deterministic")).hexdigest()


def folder_of(settings: Settings) -> Path:
    """Where started experiments lie: a folder each."""
    return settings.home / "experiments"


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
    fresh = folder / f"{_FROZEN}.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(frozen), indent=2))
    fresh.rename(folder / _FROZEN)  # whole, or not there: workers look for it
    return frozen


def read_frozen(experiments: Path, name: str) -> Frozen:
    """What was frozen when the experiment of that name was started.

    Raises:
        Tampered: the file cannot be read.
    """
    path = experiments / name / _FROZEN
    try:
        return msgspec.json.decode(path.read_bytes(), type=Frozen)
    except (OSError, msgspec.MsgspecError) as error:
        raise Tampered(f"{path} cannot be read ({error}); restore the file") from None


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
