"""What the demo counts as passed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scorers.demo.observer import Observations, ReceivedSet
from scorers.demo.report import Run, percentile, report
from streams.contracts.examples import SUGGESTIONS
from streams.contracts.messages import Changes, Reason, SuggestionSet, Trigger
from streams.verification import Verdict

AHEAD = {"ndcg_at_10": 0.5, "mrr": 0.4}
LIVE = {
    "records": 10,
    "started_ms": 9_000,
    "ended_ms": 14_000,
    "bad": {"future": 1},
    "shock": {"keyword": "rain boots", "factor": 8.0, "at_ms": 10_000},
}
BEHIND = {"ndcg_at_10": 0.3, "mrr": 0.2}


def _set(at_ms: int, added: list[str], event_time: int, held_ms: int = 0, why: str = "surge") -> ReceivedSet:
    reasons = [Reason(code=why, text="searches up 8x in the last second")]
    listed = msgspec.structs.replace(SUGGESTIONS.suggestions[0], canonical="boot rain", reasons=reasons)
    changes = Changes(added=added, removed=[], kept=[], moved=[])
    trigger = Trigger(entity="keyword:boot rain", cause="moved", event_time=event_time)
    told = SuggestionSet(
        schema_version=1, campaign="c", seller="s", version=2, created_at=at_ms, as_of=at_ms, model_version="m",
        index_version="i", trigger=trigger, held_ms=held_ms, suggestions=[listed], changes=changes,
    )  # fmt: skip
    return ReceivedSet(at_ms, told)


def _run(**changed: Any) -> Run:
    seen = Observations(
        sets=[_set(1_900, [], 1_500), _set(12_000, ["boot rain"], 11_500)], event_to_feature_ms=[100, 300, 200]
    )
    made: dict[str, Any] = {
        "parts": {},
        "rate": 2,
        "live": LIVE,
        "consumed": 10,
        "deadlettered": 1,
        "verdict": Verdict(events=10, compared=5),
        "consistency": {"compared": 5, "mismatches": 0},
        "seen": seen,
        "campaigns": ["c"],
        "newcomers": {"c": 500},
        "evaluation": {"model": AHEAD, "popularity": BEHIND, "similarity": BEHIND, "random": BEHIND},
        "exit_codes": {"shopper": 0},
        "seconds": {"live": 1.0},
    }
    return Run(**(made | changed))


def test_a_good_run_is_ok_and_says_when_the_surge_was_answered() -> None:
    made = report(_run())
    assert made["ok"]
    assert made["shock"]["seconds_to_first_changed_suggestion"] == 2.0
    assert made["shock"]["campaigns_changed"] == 1
    assert made["latency_ms"]["event_to_feature"] == {"p50": 200, "p99": 300, "n": 3}
    assert made["latency_ms"]["event_to_suggestion"]["p50"] == 500


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": Verdict(compared=5, mismatches=1)},
        {"verdict": Verdict()},
        {"consumed": 9},
        {"rate": 3},
        {"deadlettered": 0},
        {"deadlettered": 2},
        {"consistency": {"compared": 5, "mismatches": 1}},
        {"exit_codes": {"shopper": 1}},
        {"campaigns": ["c", "without a list"]},
        {"newcomers": {}},
        {"newcomers": {"c": -200}},
        {"newcomers": {"never told": 500}},
        {"seen": Observations(sets=[_set(16_000, ["boot rain"], 15_900)])},
        {"seen": Observations()},
        {"evaluation": {"model": BEHIND, "popularity": AHEAD, "similarity": BEHIND, "random": BEHIND}},
    ],
)
def test_anything_amiss_is_not_ok(changed: dict[str, Any]) -> None:
    assert not report(_run(**changed))["ok"]


def test_a_set_whose_cause_is_older_than_the_surge_is_no_answer() -> None:
    seen = Observations(sets=[_set(10_400, ["boot rain"], 9_900)])
    assert seen.answers_to("boot rain", 10_000) == []


def test_a_set_that_lists_the_keyword_for_another_reason_is_no_answer() -> None:
    bought, surge = (_set(10_400, ["boot rain"], 10_300, why=why) for why in ("bought", "surge"))
    assert Observations(sets=[bought, surge]).answers_to("boot rain", 10_000) == [surge]


def test_what_was_held_back_on_purpose_is_not_latency() -> None:
    seen = Observations(sets=[_set(5_000, [], 1_000, held_ms=3_500)])
    assert seen.event_to_suggestion_ms() == [500]


def test_percentile_of_nothing_is_nothing() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3, 1, 2], 0.5) == 2
