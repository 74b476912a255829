"""Which click a purchase belongs to: the shopper's last click on that item within the attribution window.

Attribution is a function of the *set* of accepted clicks and purchases, whichever arrives first: a late click moves a
purchase that was counted elsewhere (`Correction`). The last click is the greatest by (event time, event id), so that a
tie has one answer. A click qualifies when it is not later than the purchase and at most the window older.

What can no longer change is forgotten: a purchase when no click not later than it can still be accepted, a click when
no purchase within its window can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

ShopperItem = tuple[str, str]
_FEWEST_TO_FORGET = 1_000
_Kept = TypeVar("_Kept")


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


class Attributed(NamedTuple):
    """A purchase and its last click so far, which stays with it: the click itself may be forgotten sooner."""

    purchase: Purchase
    click: Click | None


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
        self._purchases: dict[ShopperItem, list[Attributed]] = {}
        self._forget_at = _FEWEST_TO_FORGET
        self.clicks_kept = 0
        self.purchases_kept = 0

    def add_purchase(self, key: ShopperItem, purchase: Purchase) -> Click | None:
        """Add a purchase; its click so far, if any."""
        eligible = (click for click in self._clicks.get(key, ()) if self._qualifies(click, purchase))
        click = max(eligible, default=None)
        self.load_purchase(key, Attributed(purchase, click))
        return click

    def load_purchase(self, key: ShopperItem, attributed: Attributed) -> None:
        """Take over a purchase whose click is known."""
        self._purchases.setdefault(key, []).append(attributed)
        self.purchases_kept += 1

    def add_click(self, key: ShopperItem, click: Click) -> list[Correction]:
        """Add a click; the purchases that it takes over from an earlier click or from none."""
        self._clicks.setdefault(key, []).append(click)
        self.clicks_kept += 1
        corrections = []
        purchases = self._purchases.get(key, [])
        for place, (purchase, before) in enumerate(purchases):
            if self._qualifies(click, purchase) and (before is None or before < click):
                purchases[place] = Attributed(purchase, click)
                corrections.append(Correction(purchase, before, click))
        return corrections

    def forget(self, click_bound: int, purchase_bound: int) -> None:
        """Drop what can no longer change.

        The bounds are the oldest event times (ms) that the click and purchase partitions can still accept. Changes no
        answer; does its work only once as much was added as was kept.
        """
        if self.clicks_kept + self.purchases_kept < self._forget_at:
            return
        oldest_click = purchase_bound - self._window_ms
        self._clicks = _where(self._clicks, lambda click: click.time >= oldest_click)
        self._purchases = _where(self._purchases, lambda attributed: attributed.purchase.time >= click_bound)
        self.clicks_kept = sum(map(len, self._clicks.values()))
        self.purchases_kept = sum(map(len, self._purchases.values()))
        kept = self.clicks_kept + self.purchases_kept
        self._forget_at = kept + max(_FEWEST_TO_FORGET, kept)

    def clicks(self) -> Iterator[tuple[ShopperItem, Click]]:
        """The clicks that are kept."""
        return ((key, click) for key, many in self._clicks.items() for click in many)

    def purchases(self) -> Iterator[tuple[ShopperItem, Attributed]]:
        """The purchases that are kept."""
        return ((key, attributed) for key, many in self._purchases.items() for attributed in many)

    def _qualifies(self, click: Click, purchase: Purchase) -> bool:
        return click.time <= purchase.time <= click.time + self._window_ms


def _where(all_of: dict[ShopperItem, list[_Kept]], keep: Callable[[_Kept], bool]) -> dict[ShopperItem, list[_Kept]]:
    kept = ((key, [one for one in many if keep(one)]) for key, many in all_of.items())
    return {key: many for key, many in kept if many}
