"""Arms that were stopped under way. A stop is a record beside the plan, one file an arm: the plan stays as frozen.

A stopped arm's units are shown what the control is shown, and stay in their arm: their lists go on being computed and
logged, and they are judged as assigned. A stop is for good, as outcomes after it are no longer of the treatment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from infra.failure import Failure
from scorers.experiments.frozen import Started, Tampered

_FOLDER = "stopped"
By = Literal["guardrail", "operator"]


class BadStop(Failure):
    """There is nothing to stop. The text says why."""

    exit_code = 2


class Stop(msgspec.Struct, frozen=True):
    """From when on an arm is shown what the control is, and why."""

    arm: str
    at: int
    """ms."""
    by: By
    reason: str = ""


def stop(started: Started, arm: str | None, by: By, reason: str, now_ms: int) -> list[Stop]:
    """Stop one arm, or (None) every treatment. The stops that are new; an arm that is stopped already keeps its own.

    Raises:
        BadStop: there is no such arm, it is the control, or all of it is stopped already.
        Tampered: a stop that stands already cannot be read.
    """
    plan, before = started.frozen.as_started(), stops_of(started.folder)
    treatments = [one.name for one in plan.treatments]
    if arm == plan.control.name:
        raise BadStop(
            f"--arm: {arm} is the control, which all others fall back to; stop {', '.join(treatments)}, "
            "or leave --arm out to stop every treatment"
        )
    if arm is not None and arm not in treatments:
        raise BadStop(f"--arm: {plan.name} has no arm {arm!r}; it has {', '.join(treatments)}")
    ahead = [name for name in ([arm] if arm else treatments) if name not in before]
    if not ahead:
        what = arm or "every treatment"
        raise BadStop(f"--arm: {what} is stopped already; `keypulse experiment status {plan.name}` says since when")
    made = [Stop(name, now_ms, by, reason) for name in ahead]
    for one in made:
        _write(started.folder / _FOLDER, one)
    return made


def stopped_arms(experiment: Path) -> frozenset[str]:
    """Names of an experiment's stopped arms. A file's name says it, so that a damaged one stops its arm, too."""
    return frozenset(path.stem for path in (experiment / _FOLDER).glob("*.json"))


def stops_of(experiment: Path) -> dict[str, Stop]:
    """The stops in an experiment's folder, by arm.

    Raises:
        Tampered: one cannot be read.
    """
    return {arm: _read(experiment / _FOLDER / f"{arm}.json") for arm in sorted(stopped_arms(experiment))}


def _read(path: Path) -> Stop:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stop)
    except (OSError, msgspec.MsgspecError) as error:
        raise Tampered(f"{path} cannot be read ({error}); restore it: its arm stays stopped") from None


def _write(folder: Path, one: Stop) -> None:
    folder.mkdir(exist_ok=True)
    fresh = folder / f"{one.arm}.new"
    fresh.write_bytes(msgspec.json.encode(one))
    fresh.rename(folder / f"{one.arm}.json")  # whole, or not there: workers look for it
