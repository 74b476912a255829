"""Products into the online store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from feature_repo.states import Value
from feature_repo.vectors import entity
from infra.settings import Settings
from infra.topics import Topics
from streams.agents.last_state import last_of_each
from streams.agents.live_items import LiveItems, Move
from streams.contracts.decoding import MessageDecoder
from streams.contracts.messages import ProductState, Signal
from streams.deadletters.deadletter import DeadLetters
from streams.exactly_once import Outgoing
from streams.signal_messages import signal_messages
from streams.stage import Record

if TYPE_CHECKING:
    from feature_repo.state_writer import StateSink
    from feature_repo.vector_reader import OnlineSource, StateRow


class CatalogueAgent:
    """Products into the online store, with the number of live items of each category.

    Two workers that touch a category at the same moment may leave the number that was right just before; the next
    change of the category mends it.
    """

    name = "catalogue"

    def __init__(self, settings: Settings, source: OnlineSource, sink: StateSink, live: LiveItems) -> None:
        self._topics = Topics.of(settings)
        self.topic = self._topics.product_state
        self._letters = DeadLetters(settings)
        self._source = source
        self._sink = sink
        self._live = live
        self._decoder = MessageDecoder(ProductState, self.topic.max_message_bytes)

    def handle(self, records: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """The last state of each item stands. Signals tell of products that came, went or changed."""
        states, letters = last_of_each(records, self._decoder, self._letters, now_ms)
        if not states:
            return letters
        before = dict(zip(states, self._source.rows("product", list(states)), strict=True))
        after = {item: None if state is None else _product_row(state) for item, state in states.items()}
        moves = [Move(item, _category(before[item]), _category(after[item])) for item in states]
        # Sets first: should a crash come in between, the old row still says which set the item has to leave.
        self._live.move([move for move in moves if move.before != move.after])
        self._sink.write("product", [row | {"item": item} for item, row in after.items() if row is not None])
        self._sink.delete("product", [item for item, row in after.items() if row is None])
        self._write_counts({category for move in moves for category in move[1:] if category is not None}, now_ms)
        signals = [
            Signal(entity=entity("item", item), cause=cause)
            for item in states
            if (cause := _what_happened(before[item], after[item])) is not None
        ]
        return letters + signal_messages(signals, self._topics.signals, now_ms)

    def _write_counts(self, categories: Iterable[str], now_ms: int) -> None:
        counts = self._live.counts(categories)
        self._sink.write(
            "category_items",
            [{"category": name, "live_items": count, "updated_at": now_ms} for name, count in counts.items()],
        )


def _product_row(state: ProductState) -> dict[str, Value]:
    return {
        "title": state.title,
        "category": state.category,
        "category_path": state.category_path,
        "price": state.price,
        "shipping": state.shipping,
        "condition": state.condition,
        "brand": state.brand,
        "seller": state.seller,
        "specification": msgspec.json.encode(state.specification).decode(),
        "updated_at": state.updated_at,
    }


def _category(row: StateRow | None) -> str | None:
    return None if row is None else str(row["category"])


def _what_happened(before: StateRow | None, after: StateRow | None) -> str | None:
    """The cause to tell, None when nothing but the time of the update differs."""
    if after is None:
        return "closed" if before is not None else None
    if before is None:
        return "created"
    return "changed" if before | {"updated_at": None} != after | {"updated_at": None} else None
