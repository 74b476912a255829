"""The judge: every count recomputed from the event logs, simply and slowly.

It reads each topic partition's log once, from the first record to the last, and shares no code with the stages beyond
the contracts (decoded events, the canonical form of a keyword, the names of entities and the definition of a window).
Every online feature must equal it, to the unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from feature_repo.vectors import METRICS, Window, entity, pair_key
from infra.settings import MINUTE_MS
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.events import Click, Event, Impression, Purchase, Search

Logs = Mapping[tuple[str, int], Sequence[Event]]
"""(event name, partition) -> the log's valid events in the order of their offsets."""

Tiles = dict[str, dict[int, list[int]]]
"""entity -> minute since 1970 -> one amount per metric."""


def accepted(log: Iterable[Event], horizon_ms: int) -> list[Event]:
    """The events of one log that are neither duplicate nor too late."""
    newest = 0
    first_seen: dict[str, int] = {}
    kept = []
    for event in log:
        newest = max(newest, event.event_time)
        bound = newest - horizon_ms
        if event.event_time < bound:
            continue
        if first_seen.get(event.event_id, bound - 1) >= bound:
            continue
        first_seen[event.event_id] = event.event_time
        kept.append(event)
    return kept


def last_click(purchase: Purchase, clicks: Iterable[Click], window_ms: int) -> Click | None:
    """The click that `purchase` is attributed to, of all clicks of that shopper on that item."""
    eligible = [click for click in clicks if 0 <= purchase.event_time - click.event_time <= window_ms]
    return max(eligible, key=lambda click: (click.event_time, click.event_id), default=None)


def recount(logs: Logs, horizon_ms: int, attribution_window_ms: int, canonical: CanonicalForms = NORMAL) -> Tiles:
    """Every entity's counts per minute, from all logs; keywords under their canonical form."""
    tiles: Tiles = defaultdict(lambda: defaultdict(lambda: [0] * len(METRICS)))

    def add(time_ms: int, entities: Iterable[str], **amounts: int) -> None:
        for name in entities:
            tile = tiles[name][time_ms // MINUTE_MS]
            for metric, amount in amounts.items():
                tile[METRICS.index(metric)] += amount

    events = {source: accepted(log, horizon_ms) for source, log in logs.items()}
    clicks: dict[tuple[int, str, str], list[Click]] = defaultdict(list)
    for (_, partition), many in events.items():
        for event in many:
            if isinstance(event, Search):
                keyword = entity("keyword", canonical(event.query))
                add(event.event_time, [keyword, entity("category", event.category)], searches=1)
            elif isinstance(event, Impression):
                add(event.event_time, _shown_entities(event, canonical), impressions=1)
            elif isinstance(event, Click):
                add(event.event_time, _shown_entities(event, canonical), clicks=1)
                clicks[partition, event.shopper, event.item].append(event)
    for (_, partition), many in events.items():
        for event in many:
            if isinstance(event, Purchase):
                entities = [entity("item", event.item), entity("category", event.category)]
                candidates = clicks.get((partition, event.shopper, event.item), ())
                if click := last_click(event, candidates, attribution_window_ms):
                    shown = _shown_entities(click, canonical)
                    entities += [name for name in shown if not name.startswith(("item:", "category:"))]
                revenue = event.quantity * event.unit_price
                add(event.event_time, entities, purchases=1, units=event.quantity, revenue=revenue)
    return tiles


def window_sums(minutes: Mapping[int, Sequence[int]], windows: Sequence[Window], as_of_ms: int) -> list[int]:
    """An entity's vector as of `as_of_ms`: per window, shortest first, one sum per metric."""
    sums = []
    for window in windows:
        first_ms = (as_of_ms // window.tile_ms + 1) * window.tile_ms - window.length_ms
        inside = [amounts for minute, amounts in minutes.items() if minute * MINUTE_MS >= first_ms]
        sums += [sum(amounts[metric] for amounts in inside) for metric in range(len(METRICS))]
    return sums


def _shown_entities(event: Impression | Click, canonical: CanonicalForms) -> list[str]:
    keyword = canonical(event.keyword)
    entities = [
        entity("item", event.item),
        entity("category", event.category),
        entity("keyword", keyword),
        entity("pair", pair_key(event.item, keyword)),
    ]
    return entities if event.campaign is None else [*entities, entity("campaign", event.campaign)]
