"""The commands as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from keypulse import build
from tests.unit.scorers.experiments.synthetic import PLAN, plan, tables


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYPULSE_HOME", str(tmp_path / "home"))
    (tmp_path / "boots.yaml").write_text(PLAN)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(build(), ["experiment", *arguments])

    return run


def test_from_plan_to_report(experiment, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = experiment("plan", "boots.yaml", "--plot", "power.html", "--start")
    assert said.exit_code == 0, said.output
    assert "started: boots" in said.output
    assert "<svg" in (tmp_path / "power.html").read_text()
    tables(plan(), lift=1.5).write(tmp_path / "home" / "experiments" / "boots" / "tables")

    said = experiment("status", "boots", "--as-of", "2031-01-30")
    assert (said.exit_code, "18 day(s) left" in said.output or "19 day(s) left" in said.output) == (0, True), (
        said.output
    )
    document = json.loads(experiment("status", "boots", "--as-of", "2031-01-30", "--json").output)
    assert document["alarms"] == []
    assert set(document["exposed"]) == {"control", "suggestions"}
    said = experiment("report", "boots", "--as-of", "2031-03-01")
    assert said.exit_code == 0, said.output
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {"boots.md", "boots.html"}
    assert "week by week" in experiment("weekly", "boots", "--as-of", "2031-03-01").output


def test_the_power_curve_is_drawn_for_a_plan_that_traffic_is_too_little_for(experiment, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    costly = tmp_path / "costly.yaml"
    costly.write_text(PLAN.replace("size: 0.2", "size: 0.001").replace("weeks: 4\n", ""))
    said = experiment("plan", "costly.yaml", "--plot", "power.html")
    assert said.exit_code == 0, said.output
    assert "can't be started as it is" in said.output
    assert "26 week(s) of today" in (tmp_path / "power.html").read_text()


def test_an_arm_is_stopped_and_every_command_says_so(experiment, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    experiment("plan", "boots.yaml", "--start")
    tables(plan(), lift=1.5).write(tmp_path / "home" / "experiments" / "boots" / "tables")
    said = experiment("stop", "boots", "--arm", "suggestions", "--reason", "odd keywords")
    assert said.exit_code == 0, said.output
    assert "suggestions stopped from" in said.output
    assert "are shown nothing" in said.output
    assert "stopped already" in str(experiment("stop", "boots").exception)
    assert "no experiment 'shoes'" in str(experiment("stop", "shoes").exception)
    record = tmp_path / "home" / "experiments" / "boots" / "stopped" / "suggestions.json"
    record.write_text('{"arm": "suggestions", "at": 1927065600000, "by": "operator", "reason": "odd keywords"}')
    assert "stopped  suggestions since 2031-01-25" in experiment("status", "boots", "--as-of", "2031-01-30").output
    assert experiment("report", "boots", "--as-of", "2031-03-01").exit_code == 0
    assert "odd keywords" in (tmp_path / "reports" / "boots.md").read_text()
    assert "stopped on 2031-01-25" in experiment("weekly", "boots", "--as-of", "2031-03-01").output
    (tmp_path / "later.yaml").write_text(PLAN.replace("boots", "later").replace("2031-01-06", "2032-01-05"))
    assert "layer: boots has 0 to 1" in str(experiment("plan", "later.yaml", "--start").exception)


def test_what_is_wrong_is_one_exception_with_the_cure(experiment, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "started: none" in str(experiment("report", "boots").exception)
    assert "does not exist" in str(experiment("plan", "shoes.yaml").exception)
    experiment("plan", "boots.yaml", "--start")
    assert "exposures.parquet is missing" in str(experiment("status", "boots").exception)
    assert "not a day" in str(experiment("report", "boots", "--as-of", "soon").exception)
    (tmp_path / "shoes.yaml").write_text(PLAN.replace("name: boots", "name: shoes"))
    assert "layer: boots has 0 to 1" in str(experiment("plan", "shoes.yaml", "--start").exception)
    (tmp_path / "boots.yaml").write_text(PLAN + "power: 0.9\n")
    assert "another plan" in str(experiment("plan", "boots.yaml", "--start").exception)
