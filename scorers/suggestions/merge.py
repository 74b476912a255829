"""A campaign of many items: its items' lists become one, by summed value. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scorers.suggestions.value import Floats, expected_purchases

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """A campaign's scored (item, keyword) rows, n of them over k keywords."""

    items: list[str]
    """n"""
    keyword_of: Ints
    """n; index of the row's keyword, 0 to k - 1."""
    p_shown: Floats
    """n, and so are the other two."""
    p_click: Floats
    p_purchase: Floats


@dataclass(frozen=True)
class Merged:
    """What each of k keywords is worth to the campaign as a whole, with the factors of that value."""

    searches: Floats
    p_shown: Floats
    """That of its item that is shown most."""
    p_click: Floats
    """That a shopper who is shown the campaign clicks on one of its items; one that is shown half as often as the one
    that is shown most counts half."""
    p_purchase: Floats
    """P(purchase | such a click)."""
    value: Floats
    """The product of the four: expected purchases."""


def merge(rows: Rows, searches: Floats) -> Merged:
    """Sum the items' values per keyword; its `searches` (k) are the same for every item."""
    k = len(searches)
    p_shown = np.zeros(k)
    np.maximum.at(p_shown, rows.keyword_of, rows.p_shown)
    most = p_shown[rows.keyword_of]
    clicked = rows.p_click * np.divide(rows.p_shown, most, out=np.zeros(len(most)), where=most > 0)
    no_click = np.bincount(rows.keyword_of, np.log1p(-np.minimum(clicked, 1 - 1e-12)), minlength=k)
    p_click = -np.expm1(no_click)
    purchases = np.bincount(rows.keyword_of, clicked * rows.p_purchase, minlength=k)
    p_purchase = np.minimum(np.divide(purchases, p_click, out=np.zeros(k), where=p_click > 0), 1.0)
    value = expected_purchases(searches, p_shown, p_click, p_purchase)
    return Merged(searches, p_shown, p_click, p_purchase, value)


def best_rows(rows: Rows, keyword: int) -> list[int]:
    """The rows of one keyword, that of the item it sells best first."""
    found = np.flatnonzero(rows.keyword_of == keyword)
    purchases = rows.p_shown[found] * rows.p_click[found] * rows.p_purchase[found]
    return [int(row) for row in found[np.argsort(-purchases, kind="stable")]]
