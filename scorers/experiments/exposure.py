"""What an experiment logs of a campaign's first list, alike in all arms."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.experiments.arms import Place
from streams.contracts.messages import ExposedKeyword, Exposure, Suggestion

SCHEMA_VERSION = 1


def exposure(
    place: Place, campaign: str, suggestions: Sequence[Suggestion], model_version: str, published: bool, now_ms: int
) -> Exposure:
    """The exposure of a campaign to an experiment by its whole list; what it has adopted is no part of it."""
    return Exposure(
        schema_version=SCHEMA_VERSION,
        experiment=place.experiment.plan.name,
        plan_checksum=place.experiment.checksum,
        unit=place.unit,
        arm=place.arm,
        campaign=campaign,
        exposed_at=now_ms,
        model_version=model_version,
        published=published,
        keywords=[
            ExposedKeyword(
                canonical=one.canonical,
                rank=one.rank,
                source=one.sources[0],
                reason=one.reasons[0].code if one.reasons else "",
            )
            for one in suggestions
            if not one.adopted
        ],
    )
