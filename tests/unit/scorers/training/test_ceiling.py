"""The market can be learnt by what Keypulse has: its features and trees, taught the true probabilities.

On a seed that nothing was tuned on, over the candidates of campaigns that training never saw, by true value.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.archive import FeatureArchive
from feature_repo.memory import MemoryStore
from infra.clock import ManualClock
from infra.settings import HOUR_MS, load
from infra.steps import silent
from scorers.evaluation.evaluate import evaluate
from scorers.history import History
from scorers.training.ranker import EventLog, train
from streams.backfill.run import SOURCE, Backfill
from streams.exactly_once import MemoryCheckpoints
from streams.simulator.states import write_states
from streams.simulator.truth import write_truth
from tests.market import UNTIL_MS, make_market, make_past

BASELINES = ("popularity", "popularity_in_category", "bm25", "similarity")


@pytest.mark.slow
def test_the_ceiling_of_our_features_lies_well_above_the_baselines(tmp_path: Path) -> None:
    history = tmp_path / "history"
    market = make_market(70_003, events=500_000, days=10.0)
    make_past(market, history)
    write_states(market, history)
    write_truth(market, history)
    settings = load(home=tmp_path / "home", attribution_window_ms=6 * HOUR_MS)
    archive = FeatureArchive(settings.feature_log_path, SOURCE)
    Backfill(settings, MemoryCheckpoints(), MemoryStore(settings), archive).run(history)
    train(EventLog(History(history)), settings, ManualClock(UNTIL_MS), silent(), tmp_path / "reports")

    judged = evaluate(history, settings, silent(), ceiling=True)["by_true_value"]["rows"]
    reached = {name: row["ndcg_at_10"]["mean"] for name, row in judged.items()}
    best = max(reached[name] for name in BASELINES)
    assert best <= 0.85 * reached["oracle"], reached
    assert reached["ceiling"] >= best + 0.10, reached
    assert reached["model"] > best, reached
