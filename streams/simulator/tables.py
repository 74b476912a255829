"""Columns of numbers to Arrow tables whose fields are those of the event structs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streams.contracts.events import SCHEMA_VERSION, UNKNOWN_CATEGORY, EventName
from streams.simulator.columns import Columns
from streams.simulator.market import Market
from streams.simulator.truth import campaign_id

PREFIX: dict[EventName, str] = {"search": "s", "impression": "i", "click": "c", "purchase": "o"}


class Tables:
    """Makes the tables of one market. `run` stands in every id, so that two runs share none."""

    def __init__(self, market: Market, run: str, currency: str) -> None:
        self._market = market
        self._run = run
        self._currency = currency

    def table(self, name: EventName, columns: Columns) -> pa.Table:
        """The events of one topic as a table, in the order given."""
        count = len(columns["event_time"])
        fields: dict[str, Any] = {
            "event_id": self._id(PREFIX[name], columns["number"]),
            "event_time": columns["event_time"],
            "schema_version": np.full(count, SCHEMA_VERSION, dtype=np.int64),
            "shopper": _coded(columns["shopper"], self._shoppers),
        }
        if name == "search":
            fields["search_id"] = self._id("", columns["number"])
            fields["query"] = _coded(columns["text"], self._texts)
            fields["category"] = _coded(columns["shelf"] % len(self._shelves), self._shelves)
            fields["results"] = self._results(columns["results"])
        elif name == "purchase":
            fields["order_id"] = self._id("o", columns["number"])
            fields["item"] = _coded(columns["item"], self._items)
            fields["category"] = _coded(columns["item"], self._categories)
            fields["quantity"] = columns["quantity"]
            fields["unit_price"] = columns["unit_price"]
            fields["currency"] = _coded(np.zeros(count, dtype=np.int64), pa.array([self._currency]))
        else:
            if name == "click":
                fields["click_id"] = self._id("c", columns["number"])
            fields["item"] = _coded(columns["item"], self._items)
            fields["category"] = _coded(columns["item"], self._categories)
            fields["campaign"] = _coded(columns["campaign"], self._campaigns)
            fields["keyword"] = _coded(columns["text"], self._texts)
            fields["position"] = columns["position"]
            fields["search_id"] = self._id("", columns["search"])
            if name == "impression":
                fields["shuffled"] = columns["shuffled"]
        return pa.table(fields)

    def _id(self, prefix: str, number: NDArray[Any]) -> pa.Array:
        text = pl.select(pl.concat_str(pl.lit(f"{self._run}-{prefix}"), pl.Series(number).cast(pl.String)))
        return text.to_series().to_arrow()

    def _results(self, results: NDArray[Any]) -> pa.Array:
        shown = results >= 0
        offsets = np.concatenate([[0], np.cumsum(shown.sum(axis=1))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), _coded(results[shown], self._items))

    @cached_property
    def _items(self) -> pa.Array:
        return pa.array([product.item for product in self._market.catalogue.products])

    @cached_property
    def _categories(self) -> pa.Array:
        return pa.array([product.category for product in self._market.catalogue.products])

    @cached_property
    def _campaigns(self) -> pa.Array:
        return pa.array([campaign_id(campaign) for campaign in range(len(self._market.campaigns))])

    @cached_property
    def _texts(self) -> pa.Array:
        return pa.array(self._market.campaigns.texts)

    @cached_property
    def _shoppers(self) -> pa.Array:
        return pa.array([f"u{number}" for number in range(2 * self._market.shoppers)])

    @cached_property
    def _shelves(self) -> pa.Array:
        """The shelves' names, and last what junk is searched in; shelf -1 takes the last."""
        return pa.array([shelf.name for shelf in self._market.catalogue.shelves] + [UNKNOWN_CATEGORY])


def _coded(place: NDArray[Any], values: pa.Array) -> pa.Array:
    """Values by their place; a place below 0 is null."""
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32), mask=place < 0), values)
