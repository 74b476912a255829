"""`keypulse evaluate --market`: simulated markets that nothing was tuned on, learnt and judged, and one report of all.

A market that was judged is not judged again: an interrupted run goes on with the next.
"""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.exclusive import exclusive
from infra.settings import load
from scorers.evaluation.evaluate import present
from scorers.evaluation.merging import merged
from scorers.pipeline.markets import MARKETS, Market
from scorers.pipeline.run import HISTORY, TOWERS
from scorers.pipeline.stages import Stages
from scorers.ranking.model import KINDS

FIRST_SEED = 9_101
"""Seeds from here on are for judging only."""
UNTIL_MS = 1_767_225_600_000
"""Judged histories end with 2025: with their seed that makes them the same for everybody, whenever they are judged."""


def judge_markets(name: str, seeds: int, catalogue: Path | None, home: Path, console: Console) -> dict[str, Any]:
    """The merged report of as many markets.

    Raises:
        Failure: a server or a step failed; the text says which and why.
    """
    reports = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        folder = home / f"{name}-{seed}"
        report = folder / "eval.json"
        if report.exists():
            console.print(f"market {name}, seed {seed}: judged before, {report}; delete {folder} to judge it anew")
        else:
            console.print(f"market {name}, seed {seed}")
            _judge(replace(MARKETS[name], seed=seed, until=UNTIL_MS), catalogue, folder.absolute(), console)
        reports.append(json.loads(report.read_text()))
    return merged(reports)


def _judge(market: Market, catalogue: Path | None, home: Path, console: Console) -> None:
    """Learn and judge one market; its report is `eval.json` in its home."""
    stages = Stages(home, console)
    history = f"--history={home / HISTORY}"
    words = [f"--catalogue={catalogue.absolute()}"] if catalogue else []
    kinds = [*(kind for kind in KINDS if kind != "boosted"), "boosted"]  # the last one is the bundle's
    with stages.servers() as settings:
        learnt = {
            "topics": ["topics", "create"],
            "market and history": market.history(home / HISTORY),
            "keyword dictionary": ["keywords", "clean", str(home / HISTORY)],
            "dictionary published": ["keywords", "publish"],
            "backfill": ["backfill", history],
            "towers": ["train", "towers", history],
        }
        stages.commands(settings, learnt)
        judged = {f"{kind} ranker": ["train", "ranker", history, f"--model={kind}"] for kind in kinds}
        judged["judgement"] = ["evaluate", history, "--ceiling", *words, f"--out={home / 'eval.json'}"]
        stages.commands(settings.model_copy(update={"embedding_model": str(home / TOWERS)}), judged)


def judge_command(market: str, seeds: int, catalogue: Path | None, out: Path) -> None:
    """Judge the markets, write the report and say what it comes to."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = load().home / "evaluation"
    with exclusive(home):
        present(judge_markets(market, seeds, catalogue, home, Console()), out)
