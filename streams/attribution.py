"""Which click a purchase belongs to: the shopper's last click on that item within the attribution window.

Attribution is a function of the *set* of accepted clicks and purchases, whichever arrives first: a late click moves a
purchase that was counted elsewhere (`Correction`). The last click is the greatest by (event time, event id), so that a
tie has one answer. A click qualifies when it is not later than the purchase and at most the window older.

What can no longer change is forgotten: a purchase when no click not later than it can still be accepted, a click when
no purchase within its window can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

ShopperItem = tuple[str, str]
_FEWEST_TO_FORGET = 1_000


class Click(NamedTuple):
    """A click, as far as attribution needs it. Ordered by (time, event id)."""

    time: int
    event_id: str
    keyword: str
    """Canonical."""
    campaign: str | None


class Purchase(NamedTuple):
    """A purchase, as far as attribution needs it."""

    time: int
    event_id: str
    units: int
    revenue: int
    """Minor units of the currency."""


class Correction(NamedTuple):
    """A purchase that now belongs to another click."""

    purchase: Purchase
    before: Click | None
    after: Click


class Attribution:
    """Clicks and purchases of one shopper partition that may still meet."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._clicks: dict[ShopperItem, list[Click]] = {}
        self._purchases: dict[ShopperItem, list[Purchase]] = {}
        self._added = 0
        self._forget_at = _FEWEST_TO_FORGET

    def add_purchase(self, key: ShopperItem, purchase: Purchase) -> Click | None:
        """Add a purchase; its click so far, if any."""
        self._purchases.setdefault(key, []).append(purchase)
        self._added += 1
        return self._last_click(key, purchase)

    def add_click(self, key: ShopperItem, click: Click) -> list[Correction]:
        """Add a click; the purchases that it takes over from an earlier click or from none."""
        corrections = [
            Correction(purchase, before, click)
            for purchase in self._purchases.get(key, ())
            if self._qualifies(click, purchase)
            and ((before := self._last_click(key, purchase)) is None or before < click)
        ]
        self._clicks.setdefault(key, []).append(click)
        self._added += 1
        return corrections

    def forget(self, click_bound: int, purchase_bound: int) -> None:
        """Drop what can no longer change.

        The bounds are the oldest event times (ms) that the click and purchase partitions can still accept. Changes no
        answer; does its work only once as much was added as was kept.
        """
        if self._added < self._forget_at:
            return
        oldest_click = purchase_bound - self._window_ms
        self._clicks = _kept(self._clicks, oldest_click)
        self._purchases = _kept(self._purchases, click_bound)
        self._added = 0
        self._forget_at = max(_FEWEST_TO_FORGET, sum(self.kept()))

    def kept(self) -> tuple[int, int]:
        """How many clicks and purchases are kept."""
        return sum(map(len, self._clicks.values())), sum(map(len, self._purchases.values()))

    def items(self) -> Iterator[tuple[ShopperItem, list[Click], list[Purchase]]]:
        """All that is kept."""
        for key in self._clicks.keys() | self._purchases.keys():
            yield key, self._clicks.get(key, []), self._purchases.get(key, [])

    def _last_click(self, key: ShopperItem, purchase: Purchase) -> Click | None:
        return max((click for click in self._clicks.get(key, ()) if self._qualifies(click, purchase)), default=None)

    def _qualifies(self, click: Click, purchase: Purchase) -> bool:
        return click.time <= purchase.time <= click.time + self._window_ms


_Timed = TypeVar("_Timed", Click, Purchase)


def _kept(all_of: dict[ShopperItem, list[_Timed]], oldest: int) -> dict[ShopperItem, list[_Timed]]:
    kept = ((key, [one for one in many if one.time >= oldest]) for key, many in all_of.items())
    return {key: many for key, many in kept if many}
