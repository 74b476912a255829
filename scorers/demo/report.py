"""The demo's figures and checks, as `reports/demo.json` and as a summary for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from scorers.demo.newcomers import seconds_to_first_list
from scorers.demo.observer import Observations
from streams.canonical import NORMAL, CanonicalForms
from streams.verification import Verdict

SHOCK_ANSWERED_WITHIN_S = 5.0
FIRST_LIST_WITHIN_S = 2.0
COVERED = 0.95
MEDIAN_TO_SUGGESTION_MS = 1_000.0
RIVALS = ("popularity", "similarity", "random")
MEASURES = ("ndcg_at_10", "mrr")


@dataclass(frozen=True)
class Run:
    """Everything the report is made from."""

    rate: int
    """Live events a second that were asked for."""
    parts: dict[str, dict[str, str]]
    live: dict[str, Any]
    """The simulator's own summary of what it sent."""
    consumed: int
    deadlettered: int
    verdict: Verdict
    consistency: dict[str, int]
    seen: Observations
    campaigns: list[str]
    """That are not over."""
    newcomers: dict[str, int]
    """Campaigns that opened during the run, and when (ms)."""
    evaluation: dict[str, Any]
    exit_codes: dict[str, int]
    seconds: dict[str, float]
    canonical: CanonicalForms = NORMAL
    """What keywords count under."""


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of `values` do not exceed; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def report(run: Run) -> dict[str, Any]:
    """The report; `ok` is whether every check held."""
    to_feature, to_suggestion = run.seen.event_to_feature_ms, run.seen.event_to_suggestion_ms()
    made: dict[str, Any] = {
        "parts": run.parts,
        "events": {
            "produced": run.live["records"],
            "consumed": run.consumed,
            "deadlettered": run.deadlettered,
            "bad": sum(run.live["bad"].values()),
            "per_second": round(1_000 * run.live["records"] / (run.live["ended_ms"] - run.live["started_ms"])),
        },
        "exactness": {
            "compared": run.verdict.compared,
            "mismatches": run.verdict.mismatches,
            "events": run.verdict.events,
            "examples": run.verdict.examples,
        },
        "consistency": run.consistency,
        "suggestions": {
            "sets_published": len(run.seen.sets),
            "campaigns_covered": len({one.suggestions.campaign for one in run.seen.sets} & set(run.campaigns)),
            "campaigns": len(run.campaigns),
            "seconds_to_first_list": seconds_to_first_list(
                run.newcomers, [(one.suggestions.campaign, one.at_ms) for one in run.seen.sets]
            ),
        },
        "latency_ms": {
            "event_to_feature": _latency(to_feature),
            "event_to_suggestion": _latency(to_suggestion),
        },
        "shock": _shock(run),
        "ranker": {
            name: {measure: run.evaluation[name][measure] for measure in MEASURES} for name in ("model", *RIVALS)
        },
        "exit_codes": run.exit_codes,
        "seconds": {name: round(seconds, 1) for name, seconds in run.seconds.items()},
    }
    made["checks"] = _checks(made, run.rate)
    return {"ok": all(made["checks"].values())} | made


def show(console: Console, made: dict[str, Any]) -> None:
    """The summary for people."""
    table = Table(title="Keypulse demo", show_header=False)
    table.add_row(
        "parts", ", ".join(f"{name} {part['kind']} {part['version']}" for name, part in made["parts"].items())
    )
    table.add_row("events", ", ".join(f"{count:,} {name}" for name, count in made["events"].items()))
    exact = made["exactness"]
    table.add_row(
        "exactness",
        f"{exact['compared']:,} vectors against a recount of {exact['events']:,} events: {exact['mismatches']} differ",
    )
    told = made["suggestions"]
    table.add_row(
        "suggestions",
        f"{told['sets_published']:,} sets for {told['campaigns_covered']} of {told['campaigns']} open campaigns",
    )
    first = ["never" if seconds is None else f"{seconds:.1f}" for seconds in told["seconds_to_first_list"].values()]
    table.add_row("first list", f"a new campaign's after {', '.join(first)} s")
    for name, latency in made["latency_ms"].items():
        table.add_row(name.replace("_", " "), f"p50 {latency['p50']} ms, p99 {latency['p99']} ms ({latency['n']:,})")
    shock = made["shock"]
    table.add_row(
        "surge",
        f"{shock['keyword']!r} x{shock['factor']}: first changed list after "
        f"{shock['seconds_to_first_changed_suggestion']} s, {shock['campaigns_changed']} campaigns; {shock['reason']}",
    )
    for name, measures in made["ranker"].items():
        table.add_row(f"ranker: {name}", f"NDCG@10 {measures['ndcg_at_10']:.3f}, MRR {measures['mrr']:.3f}")
    table.add_row("seconds", ", ".join(f"{name} {seconds:.0f}" for name, seconds in made["seconds"].items()))
    console.print(table)
    for name, held in made["checks"].items():
        console.print(f"{'ok    ' if held else 'FAILED'} {name}", style=None if held else "bold red", highlight=False)


def _latency(values: Sequence[int]) -> dict[str, float | int | None]:
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "n": len(values)}


def _shock(run: Run) -> dict[str, Any]:
    shock = run.live["shock"] or {}
    since = shock.get("at_ms") or 0
    answers = run.seen.answers_to(run.canonical(shock.get("keyword", "")), since) if since else []
    reason = ""
    if answers:
        first = answers[0].suggestions
        told = [one for one in first.suggestions if one.canonical == run.canonical(shock["keyword"])]
        reason = "; ".join(reason.text for one in told for reason in one.reasons[:2])
    return {
        "keyword": shock.get("keyword"),
        "factor": shock.get("factor"),
        "seconds_to_first_changed_suggestion": round((answers[0].at_ms - since) / 1_000, 2) if answers else None,
        "campaigns_changed": len({one.suggestions.campaign for one in answers}),
        "reason": reason,
    }


def _checks(made: dict[str, Any], rate: int) -> dict[str, bool]:
    surge = made["shock"]["seconds_to_first_changed_suggestion"]
    to_suggestion = made["latency_ms"]["event_to_suggestion"]["p50"]
    first_lists = made["suggestions"]["seconds_to_first_list"].values()
    ranker = made["ranker"]
    checks = {
        "every online feature equals the recount": made["exactness"]["mismatches"] == 0
        and made["exactness"]["compared"] > 0,
        "every event produced was consumed": made["events"]["consumed"] == made["events"]["produced"],
        f"{rate:,} events a second were sent": made["events"]["per_second"] >= rate,
        "each bad record is a dead letter, and nothing else is": made["events"]["deadlettered"]
        == made["events"]["bad"],
        "served vectors equal the archived log": made["consistency"]["mismatches"] == 0,
        f"{COVERED:.0%} of the open campaigns have lists": made["suggestions"]["campaigns_covered"]
        >= COVERED * made["suggestions"]["campaigns"],
        f"a new campaign has its first list within {FIRST_LIST_WITHIN_S:.0f} s": bool(first_lists)
        and all(seconds is not None and seconds <= FIRST_LIST_WITHIN_S for seconds in first_lists),
        f"the surge was answered within {SHOCK_ANSWERED_WITHIN_S:.0f} s": surge is not None
        and surge <= SHOCK_ANSWERED_WITHIN_S,
        f"event to suggestion p50 is at most {MEDIAN_TO_SUGGESTION_MS:.0f} ms": to_suggestion is not None
        and to_suggestion <= MEDIAN_TO_SUGGESTION_MS,
        "every worker stopped cleanly": all(code == 0 for code in made["exit_codes"].values()),
    }
    for rival in RIVALS:
        checks[f"the ranker is ahead of {rival}"] = all(ranker["model"][m] > ranker[rival][m] for m in MEASURES)
    return checks
