"""What every source of candidates answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scorers.retrieval.matching import ItemText
from scorers.retrieval.neighbours import Hit
from streams.contracts.messages import ProductState

__all__ = ["Hit", "ItemQuery", "Source"]


@dataclass(frozen=True, eq=False)
class ItemQuery:
    """An item for which keywords are sought."""

    product: ProductState
    seller: str
    """Who will see the keywords."""
    text: ItemText
    """The product's text: its vector and its terms."""
    adopted: dict[str, str] = field(default_factory=dict)
    """Canonical form -> text of the keywords that the item's campaign has already."""


class Source(Protocol):
    """One way to find keywords for items."""

    @property
    def name(self) -> str:
        """As suggestions name it."""
        ...

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        """For each item up to `limit` canonical keywords with the source's score, best first."""
        ...
