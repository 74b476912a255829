"""What campaigns did, by the minute, out of the very messages that features are counted from.

A purchase that a late click moves to another campaign comes as a negative and a positive row, so that sums are right
whenever they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import polars as pl

from feature_repo.vectors import METRICS
from infra.settings import MINUTE_MS
from streams.messages import FeatureDeltas

_CAMPAIGN = "campaign:"
SCHEMA = {
    "campaign": pl.String,
    "at": pl.Int64,
    "clicks": pl.Int64,
    "purchases": pl.Int64,
    "revenue": pl.Int64,
}


def campaign_rows(message: FeatureDeltas) -> pl.DataFrame:
    """The message's changes to campaigns: columns of `SCHEMA`, rows without click or purchase left out."""
    entity = np.frombuffer(message.entity_of, "<i4")
    amounts = np.frombuffer(message.amounts, "<i8").reshape(-1, len(METRICS))
    frame = pl.DataFrame(
        {
            "campaign": pl.Series(message.entities, dtype=pl.String).gather(entity),
            "at": np.frombuffer(message.minutes, "<i4").astype(np.int64) * MINUTE_MS,
            **{name: amounts[:, METRICS.index(name)] for name in ("clicks", "purchases", "revenue")},
        },
        schema=SCHEMA,
    )
    counted = (pl.col("clicks") != 0) | (pl.col("purchases") != 0) | (pl.col("revenue") != 0)
    return frame.filter(pl.col("campaign").str.starts_with(_CAMPAIGN) & counted).with_columns(
        pl.col("campaign").str.strip_prefix(_CAMPAIGN)
    )


def summed(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One row a campaign and minute; those that were taken back wholly are gone."""
    amounts = ("clicks", "purchases", "revenue")
    whole = pl.concat([pl.DataFrame(schema=SCHEMA), *parts]).group_by("campaign", "at").agg(pl.col(amounts).sum())
    return whole.filter(pl.any_horizontal(pl.col(amounts) != 0)).sort("campaign", "at")


def decoded(values: Iterable[bytes]) -> pl.DataFrame:
    """The outcomes of messages of `feature.deltas`, each once."""
    decoder = msgspec.msgpack.Decoder(FeatureDeltas)
    return summed(campaign_rows(decoder.decode(value)) for value in values)
