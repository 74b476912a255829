"""Which searches a campaign's keyword is matched to."""

from __future__ import annotations

import numpy as np
import pytest

from streams.contracts.messages import MatchType
from streams.simulator.concepts import Concepts
from streams.simulator.matching import matches

BOOTS, WELLIES, RED_BOOTS, RED_SHORT_BOOTS, RED_WELLIES, TENT, JUNK, OTHER_JUNK = range(8)
RED, SHORT = 4, 7
ASKS = np.full((8, 3), -1)
ASKS[RED_BOOTS, 0] = ASKS[RED_WELLIES, 0] = RED
ASKS[RED_SHORT_BOOTS, :2] = SHORT, RED
CONCEPTS = Concepts(
    text=["boots", "wellies", "red boots", "red short boots", "red wellies", "tent", "asdf", "null"],
    shelf=np.array([0, 0, 0, 0, 0, 1, -1, -1]),
    noun=np.array([0, 1, 0, 0, 1, 2, -1, -1]),
    asks=ASKS,
    weight=np.full(8, 1 / 8),
    buying=np.ones(8),
    lure=np.zeros(8),
    price_taste=np.zeros(8),
    curious=np.zeros(8, dtype=bool),
)


@pytest.mark.parametrize(
    ("match_type", "keyword", "matched"),
    [
        ("exact", RED_BOOTS, {RED_BOOTS}),
        ("phrase", RED_BOOTS, {RED_BOOTS, RED_SHORT_BOOTS}),
        ("broad", RED_BOOTS, {RED_BOOTS, RED_SHORT_BOOTS, RED_WELLIES}),
        ("phrase", BOOTS, {BOOTS, RED_BOOTS, RED_SHORT_BOOTS}),
        ("broad", BOOTS, {BOOTS, WELLIES, RED_BOOTS, RED_SHORT_BOOTS, RED_WELLIES}),
        ("broad", JUNK, {JUNK}),
        ("broad", TENT, {TENT}),
    ],
)
def test_matching(match_type: MatchType, keyword: int, matched: set[int]) -> None:
    found = matches(match_type, keyword, np.arange(8), CONCEPTS)
    assert set(np.flatnonzero(found).tolist()) == matched
