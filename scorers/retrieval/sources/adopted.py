"""Keywords that the seller has in the campaign already: scored for comparison, not suggested again."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.retrieval.neighbours import Hit
from scorers.retrieval.sources.source import ItemQuery


class Adopted:
    """All adopted keywords of the item's campaign, whatever the limit."""

    name = "adopted"

    def find(self, queries: Sequence[ItemQuery], limit: int) -> list[list[Hit]]:
        return [[(canonical, 1.0) for canonical in sorted(query.adopted)] for query in queries]
