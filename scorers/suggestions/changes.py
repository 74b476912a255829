"""What differs between two lists of a campaign. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from streams.contracts.messages import Changes, Move


def changes(before: Sequence[str], after: Sequence[str]) -> Changes:
    """Differences of two lists of canonical keywords, best first. A kept keyword that moved stands under both."""
    rank_before = {canonical: rank for rank, canonical in enumerate(before, 1)}
    rank_after = {canonical: rank for rank, canonical in enumerate(after, 1)}
    kept = [canonical for canonical in after if canonical in rank_before]
    return Changes(
        added=[canonical for canonical in after if canonical not in rank_before],
        removed=[canonical for canonical in before if canonical not in rank_after],
        kept=kept,
        moved=[
            Move(canonical=canonical, before=rank_before[canonical], after=rank_after[canonical])
            for canonical in kept
            if rank_before[canonical] != rank_after[canonical]
        ],
    )
