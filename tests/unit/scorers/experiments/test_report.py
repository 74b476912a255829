"""From tables to a decision that somebody can read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from prometheus_client import REGISTRY

from infra.settings import DAY_MS, HOUR_MS
from scorers.experiments.analysis import analyse
from scorers.experiments.assignment import assign
from scorers.experiments.estimates import NothingToEstimate
from scorers.experiments.frozen import Started, freeze, load
from scorers.experiments.plan import Plan
from scorers.experiments.report.content import content
from scorers.experiments.report.markdown import markdown
from scorers.experiments.report.page import page
from scorers.experiments.status import show, status_of
from scorers.experiments.tables import BadTables, Tables
from scorers.experiments.weekly import weekly
from tests.unit.scorers.experiments.synthetic import PLAN, plan, tables

WIDE = "margins: {campaigns_created: 0.2}"


def started(folder: Path, text: str = "") -> Started:
    source = folder / "boots.yaml"
    of = plan(text)
    fields = {line.split(":")[0] for line in text.splitlines()}
    kept = [line for line in PLAN.splitlines() if line.split(":")[0] not in fields]
    source.write_text("\n".join([*kept, text]))
    freeze(source, of, folder / "experiments", of.start_ms - 1)
    return load(folder / "experiments", "boots")


def end(of: Plan) -> int:
    return of.start_ms + 60 * DAY_MS


def written(one: Started, drawn: Tables, as_of_ms: int) -> tuple[str, str]:
    blocks = content(one, analyse(one.plan, drawn, as_of_ms, HOUR_MS))
    return markdown(blocks), page("Experiment boots", blocks)


def test_a_clear_gain_is_a_go(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    found = analyse(one.plan, tables(one.plan, lift=1.5), end(one.plan), HOUR_MS).comparisons[0]
    assert found.decision.verdict == "go"
    assert found.complier is not None
    assert found.complier.value is not None
    assert found.naive is not None
    assert found.naive.beyond is not None
    assert found.naive.beyond > 0, "better sellers use suggestions more: the naive comparison says too much"


def test_no_effect_is_a_no_go_and_a_loss_of_campaigns_stops_the_arm(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    nothing = analyse(one.plan, tables(one.plan), end(one.plan), HOUR_MS).comparisons[0]
    assert nothing.decision.verdict == "no-go"
    assert "smaller than planned" in nothing.decision.rule
    harmed = tables(one.plan, lift=1.5, created=(1.0, 0.5))
    assert "campaigns created" in analyse(one.plan, harmed, end(one.plan), HOUR_MS).comparisons[0].decision.rule
    assert any("stop this arm" in alarm for alarm in status_of(one, harmed, end(one.plan), HOUR_MS).alarms)


def test_the_report_says_what_a_manager_asks(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    text, html = written(one, tables(one.plan, lift=1.5), end(one.plan))
    for told in ("GO", "intention to treat", "Anderson-Rubin", "It is assumed", "It misleads", "exploratory", "Limits"):
        assert told in text
    assert "more days" not in text
    assert html.count("<svg") == 4
    assert not re.findall(r"(?:src|href)=\"(?!#)", html.replace('xlink:href="#', 'href="#')), "nothing is fetched"
    assert "prefers-color-scheme: dark" in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    HTMLParser().feed(html)


def test_a_fixed_plan_is_not_decided_before_its_end(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    early = one.plan.start_ms + 30 * DAY_MS
    found = analyse(one.plan, tables(one.plan, lift=1.5), early, HOUR_MS).comparisons[0]
    assert found.primary.relative.low > 0
    assert (found.decision.verdict, found.decision.rule) == ("inconclusive", "the plan is fixed and not over")


def test_a_sequential_plan_may_be_decided_early_and_says_how_long_it_takes(tmp_path: Path) -> None:
    one = started(tmp_path, "margins: {campaigns_created: 0.5}\nsequential: true")
    early = one.plan.start_ms + 30 * DAY_MS
    assert analyse(one.plan, tables(one.plan, lift=1.5), early, HOUR_MS).comparisons[0].decision.verdict == "go"
    text, _ = written(one, tables(one.plan, lift=0.3), early)
    assert re.search(r"about \*\*\d+ more days\*\*", text)


def test_a_changed_plan_is_said(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    kept = one.folder / "plan.yaml"
    kept.write_text(kept.read_text() + "\nlevel: 0.2\n")
    again = load(tmp_path / "experiments", "boots")
    drawn = tables(one.plan)
    assert "**The plan was changed after its start: level.**" in written(again, drawn, end(one.plan))[0]
    assert any("changed" in alarm for alarm in status_of(again, drawn, end(one.plan), HOUR_MS).alarms)


def test_a_lost_part_of_an_arm_is_an_alarm_and_decides_nothing(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    drawn = tables(one.plan, lift=1.5)
    treated = drawn.exposures.filter(arm="suggestions").get_column("unit").unique().sort()
    lost = drawn.exposures.filter(~drawn.exposures.get_column("unit").is_in(treated[:200].to_list()))
    torn = Tables.checked(**{**vars(drawn), "exposures": lost})
    status = status_of(one, torn, end(one.plan), HOUR_MS)
    assert status.exposed.alarm
    assert status.missed.by_arm == {"control": 0, "suggestions": 200}
    assert status.missed.alarm
    assert analyse(one.plan, torn, end(one.plan), HOUR_MS).comparisons[0].decision.verdict == "inconclusive"
    assert status_of(one, drawn, end(one.plan), HOUR_MS).alarms == []


def test_nothing_final_is_no_report(tmp_path: Path) -> None:
    one = started(tmp_path)
    with pytest.raises(NothingToEstimate, match="has 0 unit"):
        analyse(one.plan, tables(one.plan, sellers=50), one.plan.start_ms + 10 * DAY_MS, HOUR_MS)


def test_without_exposures_there_is_no_weekly_report(tmp_path: Path) -> None:
    one = started(tmp_path)
    drawn = tables(one.plan, sellers=50)
    none = Tables.checked(**{**vars(drawn), "exposures": drawn.exposures.head(0)})
    with pytest.raises(BadTables, match="exposures: there is none"):
        weekly(one.plan, none, end(one.plan), HOUR_MS)


def test_status_says_nothing_of_the_effect(tmp_path: Path) -> None:
    one = started(tmp_path)
    text = status_of(one, tables(one.plan), one.plan.start_ms + 20 * DAY_MS, HOUR_MS).text
    assert "22 day(s) left" in text or "23 day(s) left" in text
    assert "purchase" not in text


def test_the_weekly_report_compares_with_the_hold_out(tmp_path: Path) -> None:
    of = plan("hold_out: 0.2")
    drawn = tables(of, lift=1.5, uptake=(0.0, 0.8))
    names = [f"s{number}" for number in range(2_000)]
    held = {name for name in names if assign(of, name) == "hold-out"}
    arms = pl.col("unit").is_in([name for name in names if assign(of, name) == "control"])
    renamed = drawn.exposures.with_columns(arm=pl.when(arms).then(pl.lit("hold-out")).otherwise(pl.col("arm")))
    assert not held & set(renamed.get_column("unit"))
    text = weekly(of, Tables.checked(**{**vars(drawn), "exposures": renamed}), of.start_ms + 36 * DAY_MS, HOUR_MS)
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| 2031")]
    assert [row[0].strip() for row in rows] == ["2031-01-06", "2031-01-13", "2031-01-20", "2031-01-27", "2031-02-03"]
    assert rows[0][-1].strip() == "too little to tell"
    assert rows[3][-1].strip().startswith("+")
    assert "against hold-out" in text


def test_what_is_watched_becomes_metrics(tmp_path: Path) -> None:
    one = started(tmp_path, WIDE)
    show(status_of(one, tables(one.plan), end(one.plan), HOUR_MS), "boots")
    found = REGISTRY.get_sample_value
    assert found("keypulse_experiment_alarms", {"experiment": "boots"}) == 0
    assert found("keypulse_experiment_units", {"experiment": "boots", "arm": "control"}) > 900  # type: ignore[operator]
    assert found("keypulse_experiment_p_value", {"experiment": "boots", "check": "sample ratio"}) > 0.001  # type: ignore[operator]
