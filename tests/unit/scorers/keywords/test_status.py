"""To whom keywords may be shown."""

from __future__ import annotations

import polars as pl
import pytest

from scorers.keywords.dictionary import build
from scorers.keywords.filters import Filters
from scorers.keywords.lexicon import Lexicon
from scorers.keywords.status import Status, status_of

RAW = {"text": pl.String, "volume": pl.Int64, "shoppers": pl.Int64, "sellers_only": pl.Boolean}


@pytest.mark.parametrize(
    ("shoppers", "sellers_only", "cleared", "status"),
    [
        (10, False, False, "suggestable"),
        (9, False, False, "unproven"),
        (9, False, True, "unproven"),
        (0, False, True, "sellers"),
        (None, True, True, "sellers"),
        (None, False, True, "suggestable"),
        (None, False, False, "unproven"),
    ],
)
def test_status(shoppers: int | None, sellers_only: bool, cleared: bool, status: Status) -> None:
    assert status_of(shoppers, sellers_only, 10, cleared) == status


def test_shoppers_of_all_spellings_count_each_once() -> None:
    raw = pl.DataFrame(
        [("rain boots", 6, 6, False), ("boots for rain", 6, 6, False), ("smith reunion boots", 0, 0, True)],
        schema=RAW,
        orient="row",
    )
    log = pl.DataFrame({"text": ["rain boots"] * 6 + ["boots for rain"] * 6, "shopper": [*"abcdefabcghi"]})
    nine = build(raw, Filters(), Lexicon(), 10, searches=log)
    assert nine.clusters.select("key", "shoppers", "status").rows() == [
        ("boot rain", 9, "unproven"),
        ("boot reunion smith", 0, "sellers"),
    ]
    assert build(raw, Filters(), Lexicon(), 9, searches=log).manifest.suggestable == 1


def test_sellers_words_are_no_name_for_what_shoppers_typed() -> None:
    raw = pl.DataFrame([("rain boots", 3, 12, False), ("boots rain", 900, 0, True)], schema=RAW, orient="row")
    row = build(raw, Filters(), Lexicon(), 10).clusters.row(0, named=True)
    assert (row["text"], row["status"]) == ("rain boots", "suggestable")
