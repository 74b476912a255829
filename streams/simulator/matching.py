"""Which searches a campaign's keyword is matched to: one pure function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.messages import MatchType
from streams.simulator.concepts import Concepts


def matches(match_type: MatchType, keyword: int, query: NDArray[np.int64], concepts: Concepts) -> NDArray[np.bool_]:
    """Whether `keyword` (a concept) is matched to each concept of `query`.

    exact: the same canonical form, however it is written. phrase: the query says all that the keyword says, and may
    say more. broad: as phrase, with any of the shelf's nouns (synonyms) for the keyword's. Junk matches only itself.
    """
    same = query == keyword
    if match_type == "exact" or concepts.shelf[keyword] < 0:
        return np.asarray(same)
    asked = concepts.asks[keyword]
    asked = asked[asked >= 0]
    says_all = (concepts.asks[query][:, :, None] == asked).any(axis=1).all(axis=1)
    if match_type == "phrase":
        return np.asarray(same | (says_all & (concepts.noun[query] == concepts.noun[keyword])))
    return np.asarray(same | (says_all & (concepts.shelf[query] == concepts.shelf[keyword])))
