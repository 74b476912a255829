"""Markets judged one after another: what was judged already is taken over, and all make one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scorers.cli import app
from scorers.pipeline import judging
from scorers.pipeline.judging import FIRST_SEED, UNTIL_MS, judge_markets
from scorers.pipeline.markets import MARKETS
from tests.unit.scorers.evaluation.test_merging import report


def test_a_market_that_was_judged_is_not_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    ends: set[int | None] = set()

    def judge(market: judging.Market, catalogue: Path | None, home: Path, console: Console) -> None:
        asked.append(market.seed)
        ends.add(market.until)
        home.mkdir(parents=True)
        (home / "eval.json").write_text(json.dumps(report(market.seed - FIRST_SEED)))

    monkeypatch.setattr(judging, "_judge", judge)
    console = Console(quiet=True)
    judge_markets("small", 2, None, tmp_path, console)
    made = judge_markets("small", 3, None, tmp_path, console)
    assert asked == [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2]
    assert ends == {UNTIL_MS}
    assert made["markets"] == 3
    assert made["by_true_value"]["campaigns"] == 120


def test_judged_seeds_are_not_those_that_things_were_tuned_on() -> None:
    assert all(market.seed < FIRST_SEED for market in MARKETS.values())


@pytest.mark.parametrize("given", [[], ["--history=h", "--market=small"]])
def test_either_a_history_or_a_market_is_judged(given: list[str]) -> None:
    told = CliRunner().invoke(app, ["evaluate", *given])
    assert told.exit_code == 2
    assert "either --history or --market" in told.output
