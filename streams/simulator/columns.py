"""Pages as columns of numbers, one set a topic: what history writes as Parquet and live sends as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.contracts.events import EventName
from streams.simulator.market import Market
from streams.simulator.pages import Pages

Columns = dict[str, NDArray[Any]]
"""Columns of one topic, all of one length. Item, campaign, text and shopper are places in the market's lists."""


def concat(parts: list[Columns]) -> Columns:
    """Columns of the same names, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def take(columns: Columns, rows: NDArray[Any]) -> Columns:
    """The rows that an index or a mask chooses."""
    return {name: column[rows] for name, column in columns.items()}


@dataclass
class Numbering:
    """Numbers events through a run, so that every id is given once."""

    given: dict[str, int] = field(default_factory=dict)

    def next(self, what: EventName, count: int) -> NDArray[np.int64]:
        first = self.given.get(what, 0)
        self.given[what] = first + count
        return np.arange(first, first + count)


def columns(market: Market, pages: Pages, numbering: Numbering) -> dict[EventName, Columns]:
    """The events of some pages, by topic."""
    searches, shelf = pages.searches, market.concepts.shelf[pages.searches.concept]
    number = numbering.next("search", len(searches))
    events: dict[EventName, Columns] = {
        "search": {
            "event_time": searches.time,
            "number": number,
            "shopper": searches.shopper,
            "text": searches.text,
            "shelf": shelf,
            "results": pages.results,
        }
    }
    for name, shown in (("impression", pages.impressions), ("click", pages.clicks)):
        topic: EventName = "impression" if name == "impression" else "click"
        events[topic] = {
            "event_time": shown.time,
            "number": numbering.next(topic, len(shown.time)),
            "shopper": searches.shopper[shown.search],
            "item": shown.item,
            "campaign": shown.campaign,
            "text": shown.text,
            "position": shown.position,
            "search": number[shown.search],
            "shuffled": shown.shuffled,
        }
    bought = pages.purchases
    events["purchase"] = {
        "event_time": bought.time,
        "number": numbering.next("purchase", len(bought.time)),
        "shopper": searches.shopper[bought.search],
        "item": bought.item,
        "quantity": bought.quantity,
        "unit_price": market.catalogue.price[bought.item].astype(np.int64),
    }
    return events
