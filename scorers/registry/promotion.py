"""`keypulse promote` and `keypulse rollback`: the champion's alias and the bundle that workers load move together."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.clock import Clock, SystemClock
from infra.failure import Failure
from infra.settings import Settings
from infra.steps import Steps
from scorers.evaluation.evaluate import evaluate
from scorers.ranking import bundle
from scorers.registry.gate import Rule, features, gate
from scorers.registry.store import CHALLENGER, CHAMPION, Registry, Version


class NotPromoted(Failure):
    """The challenger did not pass, or there is none. The text names the rule."""


def promote(
    history: Path, settings: Settings, clock: Clock, steps: Steps, catalogue: Path | None = None
) -> tuple[Version, list[Rule]]:
    """Judge the challenger on `history`, and on the words of `catalogue` if there is one; if it passes every rule
    it becomes champion and its bundle is put into use.

    Raises:
        NotPromoted: there is no challenger, or a rule failed; nothing has changed then.
        RegistryError, BadHistory, NoFeatureLog, NothingToJudge: as their names say.
    """
    registry = Registry(settings, clock.now_ms())
    challenger, champion = registry.holder(CHALLENGER), registry.holder(CHAMPION)
    if challenger is None:
        raise NotPromoted("there is no challenger: `keypulse train ranker --history DIR --challenger` makes one")
    with tempfile.TemporaryDirectory(prefix="keypulse-promote-") as scratch:
        made = registry.fetch(challenger, Path(scratch) / CHALLENGER)
        rivals = {CHAMPION: registry.fetch(champion, Path(scratch) / CHAMPION)} if champion else {}
        rules = judged(made, rivals, history, settings, steps, registry, challenger, catalogue)
        if failed := [rule for rule in rules if not rule.passed]:
            told = "; ".join(f"{rule.name}: wanted {rule.wanted}, found {rule.found}" for rule in failed)
            raise NotPromoted(f"version {challenger.number} ({challenger.model_version}) stays challenger. {told}")
        bundle.install(made, settings.bundle_path)
    registry.crown(challenger)
    return challenger, rules


def judged(
    made: Path,
    rivals: dict[str, Path],
    history: Path,
    settings: Settings,
    steps: Steps,
    registry: Registry,
    challenger: Version,
    catalogue: Path | None = None,
) -> list[Rule]:
    """The gate's rules for the bundle in `made`; its evaluation is kept in the registry."""
    try:
        bundle.load(made, settings)
    except bundle.BundleRefused as refused:
        # It can't even be judged: the other rules would be noise.
        return [features(str(refused))]
    report = evaluate(history, settings, steps, made, rivals, catalogue=catalogue)
    file = made.parent / "evaluation.json"
    file.write_text(json.dumps(report, indent=1))
    registry.attach(challenger, file)
    return gate(report, settings)


def rollback(settings: Settings, clock: Clock) -> Version:
    """Make the champion's predecessor champion again and put its bundle into use.

    Raises:
        NotPromoted: there is no champion, or it replaced none.
        RegistryError: the predecessor is gone.
        BundleRefused: the predecessor's bundle no longer fits the settings; nothing has changed then.
    """
    registry = Registry(settings, clock.now_ms())
    champion = registry.holder(CHAMPION)
    if champion is None or champion.replaced is None:
        raise NotPromoted("there is nothing to roll back to: no champion has replaced another")
    before = registry.get(champion.replaced)
    with tempfile.TemporaryDirectory(prefix="keypulse-rollback-") as scratch:
        made = registry.fetch(before, Path(scratch))
        bundle.load(made, settings)
        bundle.install(made, settings.bundle_path)
    registry.restore(before)
    return before


def promote_command(history: Path, catalogue: Path | None, as_json: bool) -> None:
    """`keypulse promote`."""
    from infra.stack.state import settings

    version, rules = promote(history, settings(), SystemClock(), Steps(), catalogue)
    table = Table("rule", "wanted", "found")
    for rule in rules:
        table.add_row(rule.name, rule.wanted, rule.found)
    if not as_json:
        Console().print(table)
    _say("champion", version, settings().bundle_path, as_json, rules=[asdict(rule) for rule in rules])


def rollback_command(as_json: bool) -> None:
    """`keypulse rollback`."""
    from infra.stack.state import settings

    _say("champion again", rollback(settings(), SystemClock()), settings().bundle_path, as_json)


def _say(what: str, version: Version, bundle: Path, as_json: bool, **more: Any) -> None:
    """Which version is in use by now."""
    if as_json:
        told = {"version": version.number, "model_version": version.model_version, "bundle": str(bundle)}
        print(json.dumps(told | more))
    else:
        print(f"version {version.number} ({version.model_version}) is {what}, its bundle in {bundle}")
