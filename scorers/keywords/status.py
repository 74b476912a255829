"""To whom a keyword may be shown. Rare text holds names and addresses, and a seller's words are the seller's own."""

from __future__ import annotations

from typing import Literal, get_args

Status = Literal["suggestable", "unproven", "sellers", "junk"]
STATUSES: tuple[Status, ...] = get_args(Status)


def status_of(shoppers: int | None, sellers_only: bool, min_distinct_shoppers: int, cleared: bool) -> Status:
    """The status of a keyword that is none of the junk.

    `suggestable`: at least `min_distinct_shoppers` typed it. `sellers`: no shopper did; only who typed it may see it.
    `unproven`: too few did; nobody may, but sellers who typed it themselves.

    `shoppers` is None where the table knows no shoppers: then the owner's word (`cleared`) that the list holds nothing
    private stands for them, but not for what sellers typed.
    """
    if sellers_only or shoppers == 0:
        return "sellers"
    if shoppers is None:
        return "suggestable" if cleared else "unproven"
    return "suggestable" if shoppers >= min_distinct_shoppers else "unproven"
