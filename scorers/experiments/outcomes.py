"""What campaigns did, by the minute, out of the very messages that features are counted from.

A purchase that a late click moves to another campaign comes as a negative and a positive row, so that sums are right
whenever they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from feature_repo.vectors import METRICS
from infra.settings import MINUTE_MS
from streams.contracts.messages import FeatureDeltas

_CAMPAIGN = "campaign:"
SCHEMA = {
    "campaign": pl.String,
    "at": pl.Int64,
    "clicks": pl.Int64,
    "purchases": pl.Int64,
    "revenue": pl.Int64,
}


_AMOUNTS = ("clicks", "purchases", "revenue")
_COLUMNS = [METRICS.index(name) for name in _AMOUNTS]


class Rows(NamedTuple):
    """Changes to campaigns of one message."""

    campaigns: list[str]
    at: NDArray[np.int64]
    """ms, the beginning of a minute."""
    amounts: NDArray[np.int64]
    """n x (clicks, purchases, revenue)."""


def campaign_rows(message: FeatureDeltas) -> Rows:
    """The message's changes to campaigns; those without click or purchase are left out."""
    promoted = np.fromiter((name.startswith(_CAMPAIGN) for name in message.entities), np.bool_, len(message.entities))
    entity = np.frombuffer(message.entity_of, "<i4")
    amounts = np.frombuffer(message.amounts, "<i8").reshape(-1, len(METRICS))[:, _COLUMNS]
    kept = promoted[entity] & amounts.any(axis=1)
    campaigns = [message.entities[place].removeprefix(_CAMPAIGN) for place in entity[kept].tolist()]
    minutes = np.frombuffer(message.minutes, "<i4")[kept].astype(np.int64)
    return Rows(campaigns, minutes * MINUTE_MS, amounts[kept].astype(np.int64))


def as_frame(rows: Sequence[Rows]) -> pl.DataFrame:
    """The rows of many messages: columns of `SCHEMA`."""
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    amounts = np.concatenate([one.amounts for one in rows])
    return pl.DataFrame(
        {
            "campaign": list(chain.from_iterable(one.campaigns for one in rows)),
            "at": np.concatenate([one.at for one in rows]),
            **{name: amounts[:, place] for place, name in enumerate(_AMOUNTS)},
        },
        schema=SCHEMA,
    )


def summed(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a campaign and minute; those that were taken back wholly are gone."""
    whole = frame.group_by("campaign", "at").agg(pl.col(_AMOUNTS).sum())
    return whole.filter(pl.any_horizontal(pl.col(_AMOUNTS) != 0)).sort("campaign", "at")


def decoded(values: Iterable[bytes]) -> pl.DataFrame:
    """The outcomes of messages of `feature.deltas`, each once."""
    decoder = msgspec.msgpack.Decoder(FeatureDeltas)
    return summed(as_frame([campaign_rows(decoder.decode(value)) for value in values]))
