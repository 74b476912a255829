"""What the demo takes over from the pipeline, and when."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from typer.testing import CliRunner

from keypulse import build
from scorers.pipeline.markets import MARKETS
from scorers.pipeline.run import PROMOTED, promoted


def test_a_bundle_is_taken_over_for_the_market_that_it_learnt_from_alone(tmp_path: Path) -> None:
    small = MARKETS["small"]
    assert promoted(small, tmp_path) is None
    (tmp_path / PROMOTED).write_text(json.dumps(asdict(small)))
    assert promoted(small, tmp_path) == tmp_path
    assert promoted(replace(small, seed=2), tmp_path) is None


def test_a_markets_history_is_a_command_that_exists(tmp_path: Path) -> None:
    for market in (*MARKETS.values(), replace(MARKETS["small"], until=1)):
        group, command, *options = market.history(tmp_path)
        told = CliRunner().invoke(build(), [group, command, "--help"]).output
        for option in options:
            assert option.partition("=")[0] in told
