"""What a new collection must pass before readers get it: every row is there, texts find themselves, search is exact.

Searches at full consistency: a count right after loading is behind otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from infra.failure import Failure
from scorers.keywords.table import Keyword, is_public
from scorers.retrieval.encoders import Encoder

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from scorers.retrieval.index import Search

MIN_RECALL = 0.98
DEPTH = 100
_SAMPLE = 100
_CANARIES = 20
_NEAR = 0.95
"""A canary's stored vector and one embedded again differ by int8 (of 4,000 keywords, .974 is the farthest) or by
rounding; another encoder's differs altogether."""


class IndexBroken(Failure):
    """A new collection failed its check. The text says how."""


def check(
    client: MilvusClient,
    name: str,
    keywords: Sequence[Keyword],
    vectors: NDArray[np.float32],
    encoder: Encoder,
    search: Search,
) -> None:
    """
    Args:
        keywords, vectors: what collection `name` should hold, row for row; vectors of length 1.
        search: how readers search it; it finds what everybody may see.

    Raises:
        IndexBroken: it doesn't.
    """
    counted = client.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong")
    if (rows := int(counted[0]["count(*)"])) != len(keywords):
        raise IndexBroken(f"{name} holds {rows} keywords instead of {len(keywords)}; the old index stays")
    shown = [row for row, keyword in enumerate(keywords) if is_public(keyword)]
    keywords, vectors = [keywords[row] for row in shown], vectors[shown]
    searched = [row for row, keyword in enumerate(keywords) if is_public(keyword)]
    keywords, vectors = [keywords[row] for row in searched], vectors[searched]
    if not keywords:
        return
    _check_canaries(name, keywords, vectors, encoder, search)
    sample = vectors[_spread(len(keywords), _SAMPLE)]
    depth = min(DEPTH, len(keywords))
    if not (found := recall(search(name, sample, depth), sample, vectors, depth)) >= MIN_RECALL:
        raise IndexBroken(
            f"{name}: search finds {found:.3f} of the {depth} nearest keywords, at least {MIN_RECALL} are asked for; "
            "the old index stays"
        )


def _check_canaries(
    name: str, keywords: Sequence[Keyword], vectors: NDArray[np.float32], encoder: Encoder, search: Search
) -> None:
    """The most searched keywords and some of all others, embedded afresh, are found as they were stored."""
    popular = np.argsort([-keyword.volume for keyword in keywords], kind="stable")[: _CANARIES // 2]
    chosen = np.unique([*popular, *_spread(len(keywords), _CANARIES // 2)])
    again = encoder.encode([keywords[row].text for row in chosen])
    for row, vector, hits in zip(chosen, again, search(name, again, 1), strict=True):
        # Another keyword may have the very same vector; the nearest one must be as near as the keyword itself.
        stored = float(vector @ vectors[row])
        if not (stored >= _NEAR and hits and hits[0][1] >= stored - 1e-3):
            raise IndexBroken(
                f"{name} does not find {keywords[row].text!r} by its own text: it was built by another encoder than "
                f"{encoder.name}, or search is broken; the old index stays"
            )


def recall(
    hits: Sequence[Sequence[tuple[str, float]]],
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    depth: int,
) -> float:
    """Share of the exact `depth` nearest that was found; an equally near one counts as well."""
    exact = queries @ vectors.T
    least = -np.partition(-exact, depth - 1, axis=1)[:, depth - 1]
    found = [sum(score >= lowest - 1e-4 for _, score in row) for row, lowest in zip(hits, least, strict=True)]
    return float(np.mean(found) / depth)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` rows, evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))
