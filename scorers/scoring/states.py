"""Campaigns and products as the Faust agents wrote them to the online store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from feature_repo.vector_reader import OnlineSource, StateRow
from feature_repo.vectors import split_entity
from streams.contracts.messages import CampaignState, ProductState, Signal


class States:
    """Reads states, and remembers products: a store that lost all must not empty every list until it is refilled."""

    def __init__(self, source: OnlineSource) -> None:
        self._source = source
        self._products: dict[str, ProductState] = {}
        self._delisted: set[str] = set()

    def observe(self, signals: Iterable[Signal]) -> None:
        """Take note of products that were delisted, or listed again."""
        for signal in signals:
            kind, key = split_entity(signal.entity)
            if kind == "item" and signal.cause == "closed":
                self._delisted.add(key)
                self._products.pop(key, None)
            elif kind == "item" and signal.cause in ("created", "changed"):
                self._delisted.discard(key)

    def campaigns(self, campaigns: Sequence[str]) -> list[CampaignState]:
        """Those of the campaigns that the store holds and of which a product is known, or all are known to be gone."""
        rows = self._source.rows("campaign", campaigns)
        states = [msgspec.json.decode(str(row["state"]), type=CampaignState) for row in rows if row]
        self._read_products(item for state in states for item in state.items)
        return [state for state in states if self._known(state)]

    def products(self, state: CampaignState) -> list[ProductState]:
        """The campaign's products that are not delisted, in its order. Call after `campaigns`."""
        return [product for item in dict.fromkeys(state.items) if (product := self._products.get(item))]

    def live_items(self, categories: Sequence[str]) -> NDArray[np.float64]:
        """Items live in each category; NaN when not known."""
        rows = self._source.rows("category_items", categories)
        return np.array([np.nan if row is None else row["live_items"] for row in rows], np.float64)

    def _read_products(self, items: Iterable[str]) -> None:
        wanted = [item for item in dict.fromkeys(items) if item not in self._delisted]
        for item, row in zip(wanted, self._source.rows("product", wanted), strict=True):
            if row:
                self._products[item] = _product(item, row)

    def _known(self, state: CampaignState) -> bool:
        return any(item in self._products for item in state.items) or self._delisted.issuperset(state.items)


def _product(item: str, row: StateRow) -> ProductState:
    known = {name: value for name, value in row.items() if value is not None}
    specification = msgspec.json.decode(str(known.pop("specification", "{}")))
    return msgspec.convert(known | {"item": item, "schema_version": 1, "specification": specification}, ProductState)
