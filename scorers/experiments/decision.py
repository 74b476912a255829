"""Go, no-go or inconclusive: the rule that was fixed before the outcomes were seen.

*Go* when the primary metric's interval lies above 0, campaigns created are not inferior by the margin, and revenue is
not significantly down. *No-go* when the primary's interval lies below the planned effect, or campaigns created are
surely below the margin, or revenue is significantly down. Else inconclusive. Looked at in this order.

An arm that its guardrail stopped is a *no-go*, for the sequence that stopped it holds at every look. Of one that was
stopped otherwise, units with time after the stop in their window make the arm look like the control: that they found
no harm, or too little gain, says nothing, but harm that is found in spite of them stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scorers.experiments.estimates import Estimate
from scorers.experiments.plan import Plan
from scorers.experiments.stops import Stop
from scorers.experiments.watching import breached
from scorers.experiments.words import moment

Verdict = Literal["go", "no-go", "inconclusive"]


@dataclass(frozen=True)
class Evidence:
    """What the rule looks at, of one treatment against the control."""

    primary: Estimate
    created: Estimate | None
    """None when no campaign was created in an arm."""
    revenue: Estimate | None
    """Winsorised: a single large sale would hide any fall in the raw one."""
    sound: bool
    """No alarm of sample ratio or exposure."""
    over: bool
    """All planned units are final."""
    stop: Stop | None = None
    """Of the arm."""
    mixed: int = 0
    """Units of the arm that had it for a part of their window only."""


@dataclass(frozen=True)
class Decision:
    """A verdict, the part of the rule that led to it, and what that means."""

    verdict: Verdict
    rule: str
    words: str


def decide(plan: Plan, evidence: Evidence) -> Decision:
    """The plan's rule applied."""
    primary = evidence.primary.on(plan.effect.scale)
    margin = plan.margins.campaigns_created
    if not evidence.sound:
        return Decision(
            "inconclusive",
            "arms don't hold the units they should, so that no difference can be trusted",
            "Something other than chance decided who is in which arm. Find the fault, mend it and start anew.",
        )
    if evidence.stop is not None and evidence.stop.by == "guardrail":
        return Decision(
            "no-go",
            f"the guardrail stopped the arm on {moment(evidence.stop.at)}",
            f"Sellers who were offered suggestions created fewer campaigns: {evidence.stop.reason}.",
        )
    if not plan.sequential and not evidence.over:
        return Decision(
            "inconclusive",
            "the plan is fixed and not over",
            "A fixed plan is judged once, at its end: deciding at a look before would find effects that are not there.",
        )
    down = evidence.revenue is not None and evidence.revenue.absolute.high < 0
    inferior = evidence.created is None or evidence.created.relative.low <= -margin
    if primary.low > 0 and not inferior and not down and not evidence.mixed:
        small = primary.high < plan.effect.size
        return Decision(
            "go",
            "the primary metric is surely up, campaigns created are not inferior, revenue is not significantly down",
            "Offering suggestions raised sales, and harmed nothing that was guarded."
            + (" The rise is surely smaller than was planned for: weigh it against what it costs." if small else ""),
        )
    if breached(evidence.created, margin):
        return Decision(
            "no-go",
            f"campaigns created are surely more than {margin:.1%} down",
            "Sellers who were offered suggestions created fewer campaigns. Stop this arm.",
        )
    if down:
        return Decision("no-go", "revenue is significantly down", "Sellers who were offered suggestions earned less.")
    if evidence.stop is not None and evidence.mixed:
        return Decision(
            "inconclusive",
            f"the arm was stopped on {moment(evidence.stop.at)}, within the window of {evidence.mixed:,} of its units",
            "What these units did is a mix of both arms. It shows no harm, and neither that there is none.",
        )
    if primary.high < plan.effect.size:
        return Decision(
            "no-go",
            "the primary metric's effect is surely smaller than planned",
            "If suggestions help at all, it is by less than was thought worth having.",
        )
    return _undecided(evidence, primary.low > 0, inferior, margin)


def _undecided(evidence: Evidence, up: bool, inferior: bool, margin: float) -> Decision:
    if up and evidence.created is None:
        return Decision(
            "inconclusive",
            "the primary metric is up, but no campaign was created in an arm, so that the guardrail can't be judged",
            "Sales rose. Whether sellers create fewer campaigns is not known, and decides.",
        )
    if up and inferior:
        return Decision(
            "inconclusive",
            f"the primary metric is up, but campaigns created may be more than {margin:.1%} down",
            "Sales rose, but too few units were seen to rule out that sellers create fewer campaigns.",
        )
    return Decision(
        "inconclusive",
        "the primary metric's interval holds both no effect and the planned one",
        "The experiment can't tell. A new plan with more units, or a larger effect to look for, would decide it.",
    )
