"""What the demo shows: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scorers.demo.observer import Observations, ReceivedSet

_SHOWN_CAMPAIGNS = 3
_SHOWN_KEYWORDS = 6
_LINE_EVERY_S = 10.0
_RECENT = 200


class Screen:
    """Takes the state of the run every turn and shows it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._line_at = 0.0
        self._told: set[tuple[str, int]] = set()
        self._campaigns: list[str] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show the panel while the body runs."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def show(self, title: str, produced: float, backlog: int, seen: Observations) -> None:
        """Show rates, lag, latencies and the lists of a few campaigns; `produced` is in events a second."""
        latest = {one.suggestions.campaign: one for one in seen.sets}
        self._choose(seen)
        feature, suggestion = _median(seen.event_to_feature_ms), _median(seen.event_to_suggestion_ms())
        line = (
            f"{title}: {produced:,.0f} events/s, {backlog:,} records behind, event to feature {feature}, "
            f"event to suggestion {suggestion}, {len(seen.sets):,} sets for {len(latest):,} campaigns"
        )
        if self._live:
            shown = [latest[campaign] for campaign in self._campaigns if campaign in latest]
            self._live.update(Group(Text(line), *(Panel(_list(one), title=_title(one)) for one in shown)))
        elif time.monotonic() - self._line_at > _LINE_EVERY_S:
            self._line_at = time.monotonic()
            self._console.print(line, highlight=False, soft_wrap=True)
            for campaign in self._campaigns:
                if one := latest.get(campaign):
                    self._tell(one)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, highlight=False, soft_wrap=True)

    def _choose(self, seen: Observations) -> None:
        """Follow the campaigns that change: the first whose list came in a second version."""
        for one in reversed(seen.sets[-_RECENT:]):
            campaign = one.suggestions.campaign
            if len(self._campaigns) >= _SHOWN_CAMPAIGNS:
                return
            if one.suggestions.version > 1 and campaign not in self._campaigns:
                self._campaigns.append(campaign)

    def _tell(self, one: ReceivedSet) -> None:
        version = one.suggestions.campaign, one.suggestions.version
        if version not in self._told:
            self._told.add(version)
            self._console.print(f"  {summary(one)}", highlight=False, soft_wrap=True)


def summary(one: ReceivedSet) -> str:
    """A set in a line: what changed and why."""
    told, changes = one.suggestions, one.suggestions.changes
    texts = {suggestion.canonical: suggestion.keyword for suggestion in told.suggestions}
    added = ", ".join(f"+ {texts.get(name, name)}" for name in changes.added[:3])
    moved = ", ".join(f"{texts.get(m.canonical, m.canonical)} {m.before}->{m.after}" for m in changes.moved[:2])
    of_trigger = told.trigger.entity.partition(":")[2]
    reasons = [
        reason.text
        for one_of in told.suggestions
        if one_of.canonical in (of_trigger, *changes.added[:1])
        for reason in one_of.reasons[:1]
    ]
    parts = [part for part in (added, moved, f"because: {reasons[0]}" if reasons else "") if part]
    return f"{told.campaign} v{told.version}: {'; '.join(parts) or 'factors changed'}"


def _title(one: ReceivedSet) -> str:
    trigger = one.suggestions.trigger
    return f"campaign {one.suggestions.campaign}, version {one.suggestions.version}, told of {trigger.entity}"


def _list(one: ReceivedSet) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "keyword", "expected purchases in 7 days", "why"):
        table.add_column(column)
    moved = {move.canonical: move for move in one.suggestions.changes.moved}
    for suggestion in one.suggestions.suggestions[:_SHOWN_KEYWORDS]:
        move = moved.get(suggestion.canonical)
        mark = "new" if suggestion.canonical in one.suggestions.changes.added else ""
        mark = f"{move.before}->{move.after}" if move else mark
        why = suggestion.reasons[0].text if suggestion.reasons else ""
        table.add_row(mark, suggestion.keyword, f"{suggestion.expected_purchases:.3g}", why)
    return table


def _median(values: list[int]) -> str:
    return f"{statistics.median(values[-_RECENT:]):,.0f} ms" if values else "-"
