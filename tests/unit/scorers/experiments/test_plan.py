"""A plan says what it costs, and what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.clock import ManualClock
from infra.settings import DAY_MS, HOUR_MS
from scorers.experiments.briefing import briefing
from scorers.experiments.duration import cost, enrolment_weeks, plan_noise
from scorers.experiments.frozen import NotStarted, checksum, freeze, load
from scorers.experiments.plan import BadPlan, check_start, parse, read
from tests.unit.scorers.experiments.synthetic import PLAN, plan


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("metrics: {}", None),
        ("metrics:", "metrics"),
        ("metrics: {primary: sales}", "metrics.primary: 'sales' is not one of purchase_rate"),
        ("metrics: {primary: purchase_rate, secondary: [purchase_rate]}", "metrics.secondary"),
        ("effect: {scale: relative, size: 0}", "effect.size: 0"),
        ("effect: {scale: relative, size: .nan}", "effect.size is no finite number"),
        ("baseline: {campaigns_per_seller: .inf}", "baseline.campaigns_per_seller is no finite number"),
        ("effect: {size: 0.01}", "effect.scale: is missing; relative"),
        ("effect: {scale: sort of, size: 0.01}", "effect.scale"),
        ("effect: {scale: absolute, size: 0.99}", "effect.size: 0.99 absolute"),
        ("unit: shopper", "unit"),
        ("start: 2031-02-30", "start"),
        ("start: soon", "start"),
        ("level: 1.5", "level"),
        ("hold_out: 1", "hold_out"),
        ("layer: {begin: 0.5, end: 0.5}", "layer"),
        ("colour: blue", "colour: is not a field of a plan"),
    ],
)
def test_a_wrong_field_is_named_with_the_cure(change: str, told: str | None) -> None:
    if told is None:
        assert plan(change).metrics.primary == "purchase_rate"
        return
    with pytest.raises(BadPlan, match=re.escape(told)):
        plan(change)


@pytest.mark.parametrize(
    ("shares", "told"),
    [((0.5, 0.4), "they must add up to 1"), ((1.0, 0.0), "has a share of 0"), ((0.5,), "arms"), ((1.5, -0.5), "arms")],
)
def test_arms_must_add_up(shares: tuple[float, ...], told: str) -> None:
    arms = "\n".join(f"  - {{name: arm{k}, share: {share}, shows: nothing}}" for k, share in enumerate(shares))
    head = "\n".join(line for line in PLAN.splitlines() if not line.startswith((" ", "arms")))
    with pytest.raises(BadPlan, match=told):
        parse(f"{head}\narms:\n{arms}", "plan.yaml")


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: bücher".encode("latin-1"))
    for path in (tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(BadPlan, match="can't be read"):
            read(path)


@pytest.mark.parametrize("text", ["", "- a list", "name: [", "name: boots"])
def test_what_is_no_plan_is_told(text: str) -> None:
    with pytest.raises(BadPlan, match=r"plan\.yaml"):
        parse(text, "plan.yaml")


def test_a_start_in_the_past_is_refused_and_today_is_not() -> None:
    of = plan()
    check_start(of, ManualClock(of.start_ms + DAY_MS - 1).now_ms())
    with pytest.raises(BadPlan, match="start: 2031-01-06 lies in the past"):
        check_start(of, ManualClock(of.start_ms + DAY_MS).now_ms())


def test_both_readings_of_the_effect_are_printed_and_differ_by_hundreds() -> None:
    text = briefing(plan("effect: {scale: relative, size: 0.01}\nbaseline: {rate: 0.05}"), HOUR_MS)
    units = {}
    for scale in ("relative", "absolute"):
        row = next(line for line in text.splitlines() if line.startswith(f"| {scale}"))
        units[scale] = int(row.split("|")[4].replace(",", ""))
    assert units["relative"] > 200 * units["absolute"]
    assert "This plan means **relative**" in text


def test_looks_are_paid_for_with_units() -> None:
    fixed, looks = plan(), plan("sequential: true")
    units = [cost(of, plan_noise(of), "relative").units for of in (fixed, looks)]
    assert units[0] is not None
    assert units[1] == pytest.approx(1.9 * units[0], rel=0.05)


def test_an_effect_out_of_reach_is_said_and_cannot_be_started() -> None:
    head = "\n".join(line for line in PLAN.splitlines() if not line.startswith(("weeks", "effect", "baseline")))
    of = parse(f"{head}\neffect: {{scale: relative, size: 0.0001}}", "plan.yaml")
    assert "can't be started as it is" in briefing(of, HOUR_MS)
    with pytest.raises(BadPlan, match=r"effect\.size.*weeks: 4"):
        enrolment_weeks(of)


def test_the_checksum_sees_meaning_and_nothing_else(tmp_path) -> None:  # type: ignore[no-untyped-def]
    same = parse("# a comment\n" + PLAN + "power: 0.8\n", "other.yaml")
    assert checksum(same) == checksum(plan())
    assert checksum(plan("power: 0.9")) != checksum(plan())


def test_a_started_plan_tells_what_was_changed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "boots.yaml"
    source.write_text(PLAN)
    freeze(source, plan(), tmp_path / "experiments", 5)
    assert load(tmp_path / "experiments", "boots").changed == []
    kept = tmp_path / "experiments" / "boots" / "plan.yaml"
    kept.write_text(kept.read_text() + "level: 0.1\npower: 0.5\n")
    assert load(tmp_path / "experiments", "boots").changed == ["level", "power"]
    assert freeze(source, plan(), tmp_path / "other", 5) == freeze(source, plan(), tmp_path / "other", 9)
    with pytest.raises(NotStarted, match="started already with another plan"):
        freeze(source, plan("level: 0.1"), tmp_path / "other", 9)
    with pytest.raises(NotStarted, match="started: boots"):
        load(tmp_path / "experiments", "shoes")
