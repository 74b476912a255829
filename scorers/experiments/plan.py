"""The plan of an experiment, written before it starts: what is compared, on what, how surely, and what decides."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from infra.failure import Failure
from infra.reach import one_line
from infra.settings import DAY_MS

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="lower case, digits and -")]
Share = Annotated[float, Meta(ge=0, le=1)]
Unit = Literal["seller", "category"]
Scale = Literal["relative", "absolute"]
Shows = Literal["nothing", "suggestions"]

HOLD_OUT = "hold-out"
"""The name of the standing arm that no experiment may touch."""


class BadPlan(Failure):
    """A plan cannot be used. The text names the field and the cure."""

    exit_code = 2


class Effect(Struct, frozen=True, forbid_unknown_fields=True):
    """The effect of the primary metric that the experiment must be able to find."""

    scale: Scale
    """`relative` to the control's value, or `absolute`, in the metric's own unit."""
    size: float = 0.01


class Arm(Struct, frozen=True, forbid_unknown_fields=True):
    """What a share of the units gets."""

    name: Name
    share: Share
    shows: Shows
    bundle: str | None = None
    """Folder of another model bundle; the worker's own when left out."""


class Layer(Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a layer the experiment takes. Two layers are independent of each other."""

    name: Name = "suggestions"
    begin: Share = 0.0
    end: Share = 1.0


class Margins(Struct, frozen=True, forbid_unknown_fields=True):
    """How much a guardrail may lose, relative to the control, and still count as not inferior."""

    campaigns_created: Annotated[float, Meta(gt=0, lt=1)] = 0.02


USUAL_SECONDARY = ("purchases_per_campaign", "clicks_per_seller", "conversion", "adoption")


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of `scorers.experiments.metrics.METRICS`."""

    primary: str = "purchase_rate"
    secondary: list[str] | None = None
    """`USUAL_SECONDARY`, less the primary, when left out."""


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known before the start. `keypulse experiment plan --history` measures it."""

    rate: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Campaigns with at least one purchase in the window, of all."""
    campaigns_per_seller: Annotated[float, Meta(ge=1)] = 3.0
    campaigns_variation: Annotated[float, Meta(ge=0)] = 0.8
    """Standard deviation of a seller's number of campaigns over its mean."""
    intra_seller_correlation: Annotated[float, Meta(ge=0, lt=1)] = 0.05
    mean: Annotated[float, Meta(gt=0)] | None = None
    """Of a primary metric other than purchase_rate."""
    deviation: Annotated[float, Meta(gt=0)] | None = None
    """The same metric's standard deviation, one unit."""
    created: Annotated[float, Meta(gt=0)] = 1.0
    """Campaigns that a unit creates in a window."""
    created_deviation: Annotated[float, Meta(gt=0)] = 1.5
    sellers_at_start: Annotated[int, Meta(ge=0)] = 2_000
    """Sellers with running campaigns, exposed in the first week."""
    new_sellers_per_week: Annotated[int, Meta(ge=0)] = 100


class Plan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One experiment. `read` checks what the types cannot."""

    name: Name
    start: datetime.date
    effect: Effect
    arms: Annotated[list[Arm], Meta(min_length=2, max_length=8)]
    metrics: Metrics
    null_hypothesis: str = "using recommended keywords does not increase purchases"
    unit: Unit = "seller"
    salt: str = ""
    """What the assignment is hashed with; the name when left out."""
    layer: Layer = Layer()
    hold_out: Share = 0.0
    """Share of all units that get no suggestions whatever experiment runs."""
    power: Annotated[float, Meta(gt=0, lt=1)] = 0.8
    level: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Two-sided."""
    window_days: Annotated[int, Meta(ge=1, le=90)] = 14
    """Outcomes count for so long after a unit's exposure; as long before it for the covariate."""
    weeks: Annotated[int, Meta(ge=1, le=520)] | None = None
    """Whole weeks in which units are taken in; as many as the effect takes when left out."""
    cuped: bool = True
    """Whether what the pre-period explains is taken off the noise."""
    winsorise: Annotated[float, Meta(gt=0.5, le=1)] = 0.99
    """Revenue of a unit above this quantile of all units counts as the quantile."""
    sequential: bool = False
    """Whether looks before the end are part of the design."""
    margins: Margins = Margins()
    baseline: Baseline = Baseline()

    @property
    def secondary(self) -> list[str]:
        """Names of the secondary metrics."""
        given = self.metrics.secondary
        return [name for name in USUAL_SECONDARY if name != self.metrics.primary] if given is None else given

    @property
    def control(self) -> Arm:
        """The arm that all others are compared with: the first that shows nothing, else the first."""
        return next((arm for arm in self.arms if arm.shows == "nothing"), self.arms[0])

    @property
    def treatments(self) -> list[Arm]:
        """All arms but the control."""
        return [arm for arm in self.arms if arm is not self.control]

    @property
    def assignment_salt(self) -> str:
        return self.salt or self.name

    @property
    def window_ms(self) -> int:
        return self.window_days * DAY_MS

    @property
    def start_ms(self) -> int:
        """Midnight UTC of the first day, ms."""
        midnight = datetime.datetime.combine(self.start, datetime.time(), datetime.UTC)
        return int(midnight.timestamp() * 1_000)


_CURES = {
    "effect": "say `effect: {scale: relative, size: 0.01}`, or absolute: they differ in cost by hundreds",
    "effect.scale": "relative (1 % of the rate) or absolute (1 percentage point): they differ in cost by hundreds",
    "metrics": "say at least `metrics: {primary: purchase_rate}`",
    "unit": "seller, or category (against sellers who bid against each other)",
    "arms": "two arms or more, each with name, share and shows (nothing or suggestions)",
    "start": "a date such as 2031-01-06, a Monday if it can be",
    "name": "lower case letters, digits and -",
}


def parse(text: str, source: str) -> Plan:
    """A plan from YAML; `source` is named in errors.

    Raises:
        BadPlan: a field is missing, unknown or has a value that is not allowed.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadPlan(f"{source} is not YAML: {one_line(error)}") from None
    except ValueError as error:  # of a date that there is not
        raise BadPlan(f"{source}: start: {error}; {_CURES['start']}") from None
    if not isinstance(content, dict):
        raise BadPlan(f"{source} must be a mapping with name, start, effect, arms and metrics")
    if field := _not_finite(content):
        raise BadPlan(f"{source}: {field} is no finite number; see docs/experiments.md")
    try:
        plan = msgspec.convert(content, Plan)
    except msgspec.ValidationError as error:
        raise BadPlan(_explain(source, str(error))) from None
    if problem := _problem(plan):
        raise BadPlan(f"{source}: {problem}")
    return plan


def read(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        BadPlan: there is no such file, it can't be read, or as `parse`.
    """
    try:
        return parse(path.read_text(), str(path))
    except FileNotFoundError:
        raise BadPlan(f"{path} does not exist; docs/experiments.md shows a plan to start from") from None
    except (OSError, UnicodeError) as error:
        raise BadPlan(f"{path} can't be read: {error}; a plan is YAML in UTF-8") from None


def check_start(plan: Plan, now_ms: int) -> None:
    """A plan that is to be started must not start in the past.

    Raises:
        BadPlan: it does.
    """
    if plan.start_ms + DAY_MS <= now_ms:
        today = datetime.datetime.fromtimestamp(now_ms / 1_000, datetime.UTC).date()
        raise BadPlan(f"start: {plan.start} lies in the past (today is {today}); give a day from today on")


def _not_finite(content: Any, path: str = "") -> str | None:
    """The path of the first .nan or .inf; msgspec lets them pass most bounds."""
    if isinstance(content, float) and not math.isfinite(content):
        return path
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    found = (_not_finite(part, f"{path}.{key}" if path else str(key)) for key, part in parts)
    return next((one for one in found if one), None)


def _explain(source: str, message: str) -> str:
    """msgspec's message with the field first and a cure last."""
    what, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    if what.startswith("Object missing required field `"):
        path = ".".join(part for part in (path, what.split("`")[1]) if part)
        what = "is missing"
    elif what.startswith("Object contains unknown field `"):
        path = ".".join(part for part in (path, what.split("`")[1]) if part)
        what = "is not a field of a plan"
    cure = _CURES.get(path) or _CURES.get(path.split("[")[0].split(".")[0], "see docs/experiments.md")
    return f"{source}: {path or 'the plan'}: {what[0].lower()}{what[1:]}; {cure}"


def _problem(plan: Plan) -> str | None:
    """What is wrong with a plan whose types are right."""
    from scorers.experiments.metrics import METRICS

    if plan.effect.size <= 0:
        return f"effect.size: {plan.effect.size:g} is no rise to be found; give the smallest worth acting on, e.g. 0.01"
    names = [arm.name for arm in plan.arms]
    if len(set(names)) < len(names) or HOLD_OUT in names:
        return f"arms: {names} must have different names, none of them {HOLD_OUT}"
    if abs(sum(arm.share for arm in plan.arms) - 1) > 1e-9:
        shares = " + ".join(f"{arm.share:g}" for arm in plan.arms)
        return f"arms: the shares {shares} add up to {sum(arm.share for arm in plan.arms):g}; they must add up to 1"
    if empty := [arm.name for arm in plan.arms if not arm.share]:
        return f"arms: {empty[0]} has a share of 0; give it a share or leave it out"
    if not 0 <= plan.layer.begin < plan.layer.end <= 1:
        return f"layer: begin {plan.layer.begin:g} must be smaller than end {plan.layer.end:g}"
    if plan.hold_out >= 1:
        return "hold_out: 1 leaves no unit for the experiment; 0.05 is usual"
    for where, named in (("primary", [plan.metrics.primary]), ("secondary", plan.secondary)):
        if unknown := [name for name in named if name not in METRICS]:
            return f"metrics.{where}: {unknown[0]!r} is not one of {', '.join(METRICS)}"
    if plan.metrics.primary in plan.secondary:
        return f"metrics.secondary: {plan.metrics.primary} is the primary metric already; leave it out"
    if plan.effect.scale == "absolute" and plan.metrics.primary == "purchase_rate":
        reached = plan.baseline.rate + plan.effect.size
        if not 0 < reached < 1:
            return (
                f"effect.size: {plan.effect.size:g} absolute would take a rate of {plan.baseline.rate:g} to {reached:g}"
            )
    return None


def canonical(plan: Plan) -> dict[str, Any]:
    """The plan as plain data, every default spelled out: what the checksum is taken of."""
    return dict(msgspec.to_builtins(plan))
