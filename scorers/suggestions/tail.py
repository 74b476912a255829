"""`keypulse tail`: the suggestion topic as the campaign service would read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition
from rich.console import Console
from rich.table import Table

from infra.kafka import consumer, wait_ready
from infra.settings import Settings
from infra.topics import Topics
from streams.contracts.messages import Suggestion, SuggestionSet


@dataclass(frozen=True)
class Read:
    """A record of the topic: a set, or None when the campaign is closed."""

    campaign: str
    suggestions: SuggestionSet | None
    raw: bytes | None


def read_sets(settings: Settings, *, from_beginning: bool, follow: bool) -> Iterator[Read]:
    """Records of all partitions, committed ones only; without `follow` those that stand there now.

    Raises:
        Unreachable: no broker.
        TopicMissing: nor topic.
        KafkaException: the topic cannot be read.
    """
    topic = Topics.of(settings).suggestions
    wait_ready(settings, topic)
    client = consumer(settings, "tail", **{"enable.partition.eof": True, "isolation.level": "read_committed"})
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    client.assign([TopicPartition(topic.name, partition, start) for partition in range(topic.partitions)])
    ended: set[int] = set()
    try:
        while follow or len(ended) < topic.partitions:
            for message in client.consume(500, timeout=0.2):
                error = message.error()
                if error is None:
                    yield _read(message.key(), message.value())
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        client.close()


def tail(settings: Settings, campaign: str | None, as_json: bool, from_beginning: bool, follow: bool) -> None:
    """Print each set: as JSON lines, as tables on a terminal, else as plain lines."""
    console = Console(highlight=False)
    for read in read_sets(settings, from_beginning=from_beginning, follow=follow):
        if campaign and read.campaign != campaign:
            continue
        if as_json:
            print((read.raw or msgspec.json.encode({"campaign": read.campaign, "closed": True})).decode(), flush=True)
        elif read.suggestions is None:
            console.print(f"{read.campaign}: closed")
        elif console.is_terminal:
            console.print(_table(read.suggestions))
        else:
            for line in _lines(read.suggestions):
                console.print(line, markup=False, soft_wrap=True)


def _read(key: bytes | None, value: bytes | None) -> Read:
    return Read((key or b"").decode(), msgspec.json.decode(value, type=SuggestionSet) if value else None, value)


def _title(suggestions: SuggestionSet) -> str:
    trigger, changes = suggestions.trigger, suggestions.changes
    moved = f" {trigger.metric} {trigger.before} -> {trigger.after} in {trigger.window}" if trigger.metric else ""
    return (
        f"{suggestions.campaign} version {suggestions.version}: {len(changes.added)} added, "
        f"{len(changes.removed)} removed, {len(changes.moved)} moved; {trigger.entity} {trigger.cause}{moved}"
    )


def _mark(suggestion: Suggestion, suggestions: SuggestionSet) -> str:
    if suggestion.adopted:
        return "adopted"
    if suggestion.canonical in suggestions.changes.added:
        return "new"
    moves = {move.canonical: move.before - move.after for move in suggestions.changes.moved}
    places = moves.get(suggestion.canonical, 0)
    return f"{places:+d}" if places else ""


def _why(suggestion: Suggestion) -> str:
    return "; ".join(reason.text for reason in suggestion.reasons)


def _lines(suggestions: SuggestionSet) -> Iterator[str]:
    yield _title(suggestions)
    for one in suggestions.suggestions:
        yield (
            f"  {one.rank:3} {one.keyword}  {one.expected_purchases:.2f} purchases"
            f" = {one.expected_searches:.0f} searches x {one.p_shown:.2f} shown x {one.p_click:.4f} click"
            f" x {one.p_purchase:.4f} purchase  {_mark(one, suggestions)}  {_why(one)}"
        )


def _table(suggestions: SuggestionSet) -> Table:
    table = Table(title=_title(suggestions), title_justify="left")
    for name in ("", "keyword", "purchases / 7 d", "searches", "P(shown)", "P(click)", "P(purchase)", "", "why"):
        table.add_column(name, justify="left" if name in ("keyword", "why") else "right")
    for one in suggestions.suggestions:
        table.add_row(
            str(one.rank),
            one.keyword,
            f"{one.expected_purchases:.2f}",
            f"{one.expected_searches:.0f}",
            f"{one.p_shown:.2f}",
            f"{one.p_click:.4f}",
            f"{one.p_purchase:.4f}",
            _mark(one, suggestions),
            _why(one),
        )
    return table
