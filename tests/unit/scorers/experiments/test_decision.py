"""The rule, at each of its borders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scorers.experiments.decision import Evidence, decide
from scorers.experiments.estimates import Estimate, Interval
from scorers.experiments.metrics import METRICS
from scorers.experiments.stops import Stop
from tests.unit.scorers.experiments.synthetic import plan

PLANNED = plan("effect: {scale: relative, size: 0.1}")


def estimate(low: float, high: float, metric: str = "purchase_rate") -> Estimate:
    interval = Interval((low + high) / 2, low, high)
    return Estimate(METRICS[metric], 1.0, 1 + interval.value, interval, interval, 0.5, False)


STOPPED = Stop("suggestions", 1_924_992_000_000, "operator", "odd keywords")
BY_GUARDRAIL = Stop("suggestions", 1_924_992_000_000, "guardrail", "campaigns created -30.0 %")
MIXED = {"stop": STOPPED, "mixed": 12}


def evidence(**changed: object) -> Evidence:
    good = Evidence(
        primary=estimate(0.02, 0.2),
        created=estimate(-0.019, 0.05, "campaigns_created"),
        revenue=estimate(-0.1, 0.1, "revenue_winsorised"),
        sound=True,
        over=True,
    )
    return replace(good, **changed)


@pytest.mark.parametrize(
    ("changed", "verdict", "rule"),
    [
        ({}, "go", "surely up"),
        ({"primary": estimate(0.01, 0.09)}, "go", "surely up"),
        ({"primary": estimate(0.0, 0.2)}, "inconclusive", "holds both"),
        ({"primary": estimate(-0.1, 0.1)}, "inconclusive", "holds both"),
        ({"primary": estimate(-0.1, 0.0999)}, "no-go", "smaller than planned"),
        ({"created": estimate(-0.02, 0.05)}, "inconclusive", "may be more than 2.0% down"),
        ({"created": estimate(-0.05, -0.02)}, "inconclusive", "may be more than 2.0% down"),
        ({"created": estimate(-0.05, -0.021)}, "no-go", "more than 2.0% down"),
        ({"created": None}, "inconclusive", "guardrail can't be judged"),
        ({"revenue": estimate(-0.1, -0.01)}, "no-go", "revenue"),
        ({"revenue": None}, "go", "surely up"),
        ({"sound": False}, "inconclusive", "units they should"),
        ({"over": False}, "inconclusive", "not over"),
        ({"stop": BY_GUARDRAIL, "mixed": 12}, "no-go", "the guardrail stopped the arm on 2031-01-01"),
        ({"stop": BY_GUARDRAIL, "over": False}, "no-go", "the guardrail stopped the arm"),
        ({"stop": BY_GUARDRAIL, "sound": False}, "inconclusive", "units they should"),
        (MIXED, "inconclusive", "within the window of 12 of its units"),
        (MIXED | {"primary": estimate(-0.1, 0.05)}, "inconclusive", "within the window of 12 of its units"),
        (MIXED | {"created": estimate(-0.05, -0.021)}, "no-go", "more than 2.0% down"),
        (MIXED | {"revenue": estimate(-0.1, -0.01)}, "no-go", "revenue"),
        ({"stop": STOPPED}, "go", "surely up"),
    ],
)
def test_the_rule(changed: dict[str, object], verdict: str, rule: str) -> None:
    found = decide(PLANNED, evidence(**changed))
    assert found.verdict == verdict
    assert rule in found.rule


def test_a_sequential_plan_may_be_decided_before_its_end() -> None:
    of = plan("effect: {scale: relative, size: 0.1}\nsequential: true")
    assert decide(of, evidence(over=False)).verdict == "go"


def test_a_go_smaller_than_planned_says_so() -> None:
    assert "smaller than was planned" in decide(PLANNED, evidence(primary=estimate(0.01, 0.09))).words
    assert "smaller than was planned" not in decide(PLANNED, evidence()).words
