"""Which arm of which experiment a campaign is in, and what it may therefore be told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scorers.experiments.assignment import assign, overlapping, unit_of
from scorers.experiments.plan import HOLD_OUT, Plan
from streams.contracts.messages import CampaignState

DEFAULT = "default"
"""The arm of a campaign that is in no experiment."""
_FOR_GOOD = 1 << 62


@dataclass(frozen=True)
class Experiment:
    """A started experiment: its plan as frozen."""

    plan: Plan
    checksum: str
    ends_ms: int
    """When its last unit is judged. The arms end then; the hold-out stands on."""
    stopped: frozenset[str] = frozenset()
    """Arms whose units are shown what the control is shown."""

    def with_stops(self, arms: frozenset[str]) -> Experiment:
        """The same with these arms stopped, beside those that are already."""
        return self if arms <= self.stopped else replace(self, stopped=self.stopped | arms)

    @property
    def stands_until_ms(self) -> int:
        """With an arm stopped it stands until somebody takes it away: at its end all would get what was stopped."""
        return _FOR_GOOD if self.stopped else self.ends_ms

    @property
    def bundles(self) -> list[str]:
        """Folders of the models that its arms are scored with, beside the worker's own."""
        return [arm.bundle for arm in self.plan.arms if arm.bundle and arm.name not in self.stopped]

    def place(self, campaign: CampaignState, now_ms: int) -> Place | None:
        """Where a campaign stands now; None when it is not in the experiment."""
        if now_ms < self.plan.start_ms:
            return None
        unit = unit_of(campaign, self.plan.unit)
        name = assign(self.plan, unit)
        if name is None or not (now_ms < self.stands_until_ms or name == HOLD_OUT):
            return None
        arm = next((arm for arm in self.plan.arms if arm.name == name), None)
        shown = self.plan.control if name in self.stopped else arm
        shows = shown is not None and shown.shows == "suggestions"
        return Place(self, unit, name, now_ms < self.ends_ms, shows, shown.bundle if shown else None)


@dataclass(frozen=True)
class Place:
    """Where a campaign stands in one experiment."""

    experiment: Experiment
    unit: str
    arm: str
    running: bool
    """Its first list is an exposure."""
    shows: bool
    bundle: str | None


@dataclass(frozen=True)
class Treatment:
    """What follows for a campaign from all experiments together."""

    places: tuple[Place, ...] = ()

    @property
    def arm(self) -> str:
        """As a set names it: EXPERIMENT/ARM, of several layers separated by commas."""
        return ",".join(f"{place.experiment.plan.name}/{place.arm}" for place in self.places) or DEFAULT

    @property
    def shows(self) -> bool:
        """Whether the campaign gets suggestions."""
        return all(place.shows for place in self.places)

    @property
    def bundle(self) -> str | None:
        """Folder of the model that scores it; None is the worker's own."""
        return next((place.bundle for place in self.places if place.bundle), None)


_UNTREATED = Treatment()


class Arms:
    """The started experiments, shared by all shards of a worker; whoever reads the plans keeps them up to date."""

    def __init__(self, experiments: Sequence[Experiment] = ()) -> None:
        self.experiments = tuple(experiments)

    def of(self, campaign: CampaignState, now_ms: int) -> Treatment:
        """A campaign's treatment. What is in one experiment's hold-out is in no arm of any other."""
        if not self.experiments:
            return _UNTREATED
        places = [place for one in self.experiments if (place := one.place(campaign, now_ms))]
        held_out = [place for place in places if place.arm == HOLD_OUT]
        return Treatment(tuple(held_out or places))


def conflict(one: Experiment, others: Sequence[Experiment]) -> str | None:
    """Why an experiment cannot run beside others: a unit would stand in two arms of a layer, or have two models."""
    for other in others:
        if max(one.plan.start_ms, other.plan.start_ms) >= min(one.stands_until_ms, other.stands_until_ms):
            continue
        if overlapping(one.plan, [other.plan]):
            return f"layer: {other.plan.name} has a part of {one.plan.layer.name!r} that it claims, too"
        if one.bundles and other.bundles and one.plan.layer.name != other.plan.layer.name:
            return f"arms.bundle: {other.plan.name} in another layer names a bundle, too; put both into one layer"
    return None
