"""Random events around a moment: duplicates, late ones, purchases with and without a click, in one arrival order."""

from __future__ import annotations

import random
from collections.abc import Iterator

from infra.settings import MINUTE_MS
from streams.contracts.events import Click, Event, EventName, Impression, Purchase, Search


def random_events(count: int, start_ms: int, step_ms: float, seed: int) -> Iterator[tuple[EventName, Event]]:
    """`count` events, `step_ms` apart; 2 % duplicates, 5 % minutes late, 0.5 % hours late."""
    rng = random.Random(seed)
    sent: list[tuple[EventName, Event]] = []
    for number in range(count):
        if sent and rng.random() < 0.02:
            yield rng.choice(sent[-500:])
            continue
        late_ms = rng.choices([0, rng.randrange(5 * MINUTE_MS), 120 * MINUTE_MS], [94.5, 5, 0.5])[0]
        named = _event(rng, f"e{seed}-{number}", int(start_ms + number * step_ms) - late_ms)
        sent.append(named)
        yield named


def _event(rng: random.Random, event_id: str, time_ms: int) -> tuple[EventName, Event]:
    common = {"event_id": event_id, "event_time": time_ms, "schema_version": 1, "shopper": f"s{rng.randrange(200)}"}
    item = rng.randrange(50)
    shown = {
        "item": f"i{item}",
        "category": f"cat{item % 5}",
        "keyword": rng.choice(["rain boots", "Boots, rain", "red shoes", "usb cable 2 m", "64 gb card", "café mug"]),
        "campaign": f"c{item % 7}" if rng.random() < 0.3 else None,
        "position": rng.randrange(1, 20),
        "search_id": f"q{rng.randrange(1_000)}",
    }
    draw = rng.random()
    if draw < 0.15:
        return "search", Search(
            **common, search_id=shown["search_id"], query=shown["keyword"], category=shown["category"]
        )
    if draw < 0.75:
        return "impression", Impression(**common, **shown)
    if draw < 0.92:
        return "click", Click(**common, **shown, click_id=f"k{event_id}")
    return "purchase", Purchase(
        **common,
        order_id=f"o{event_id}",
        item=shown["item"],
        category=shown["category"],
        quantity=rng.randrange(1, 4),
        unit_price=rng.randrange(100, 9_999),
        currency="USD",
    )
