"""An experiment's tables out of the streams: exposures, counts of campaigns, campaigns, what sellers adopt and say.

Counts come from `feature.deltas`, the messages that features are summed from, and so are the features' own: late,
duplicate and corrected events included. After a rebuild events are counted again under a new generation; from then on
the new counts hold, but for times that its log no longer knows whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from infra.log import get_logger
from infra.settings import MINUTE_MS, Settings
from infra.topics import Topic, Topics
from scorers.experiments.assignment import unit_of
from scorers.experiments.frozen import Started
from scorers.experiments.outcomes import SCHEMA, Rows, as_frame, campaign_rows, summed
from scorers.experiments.tables import Tables, empty
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.messages import CampaignState, Exposure, FeatureDeltas, Feedback
from streams.dictionary_topic import published_forms
from streams.exactly_once import Checkpoint, Progress
from streams.log_reader import LogReader
from streams.stage import Record

log = get_logger(__name__)

GROUP = "experiment-collection"
_MARKS = "marks.json"
_COUNTS = "counts.parquet"
_FRESH, _BEFORE = "tables.fresh", "tables.before"
_KEPT = {"sender": pl.String, "generation": pl.Int64, **SCHEMA}


class Marks(msgspec.Struct):
    """Up to where the topics are collected, and what must be known to go on."""

    offsets: dict[str, dict[int, int]] = {}
    """topic -> partition -> next offset."""
    seen: dict[int, dict[str, tuple[int, int]]] = {}
    """Partition of feature.deltas -> sender -> generation and number of its last message."""
    begins: dict[str, dict[int, int]] = {}
    """sender -> generation -> the earliest minute that it counted, ms."""
    gaps: list[str] = []
    """Counts that were deleted from the topic before they were collected."""


class Collection:
    """What was collected so far. `take` records in the order of their offsets, then `tables`."""

    def __init__(self, started: Started, settings: Settings, canonical: CanonicalForms = NORMAL) -> None:
        """`canonical`: what keywords count under, those that sellers take up too."""
        self._started = started
        self._settings = settings
        self._canonical = canonical
        self._topics = Topics.of(settings)
        self._folder = started.tables
        _finish(self._folder)
        marks = self._folder / _MARKS
        self.marks = msgspec.json.decode(marks.read_bytes(), type=Marks) if marks.exists() else Marks()
        self._counts = pl.read_parquet(self._folder / _COUNTS) if marks.exists() else pl.DataFrame(schema=_KEPT)
        self._fresh: dict[tuple[str, int], list[Rows]] = {}
        before = Tables.read(self._folder) if marks.exists() else None
        self._rows: dict[str, list[dict[str, Any]]] = {
            name: (getattr(before, name) if before else empty(name)).to_dicts()
            for name in ("exposures", "campaigns", "adoptions", "feedback")
        }
        self._computed = {row["campaign"]: set(row["keywords"]) for row in self._rows["exposures"]}
        self._known = {row["campaign"] for row in self._rows["campaigns"]}
        self._adopted = {(row["campaign"], row["keyword"]) for row in self._rows["adoptions"]}
        self._details: dict[tuple[str, str], tuple[int, str, str]] = {}
        self._progress = {
            partition: Progress(f"{GROUP}/{partition}", Checkpoint(0, 1, None, [], {}, {}, dict(seen), []))
            for partition, seen in self.marks.seen.items()
        }

    def topics(self) -> dict[str, tuple[Topic, Callable[[Record], None]]]:
        """What is read, in this order: an adoption is one only once it is known what was computed."""
        topics = self._topics
        return {
            topics.exposures.name: (topics.exposures, self.take_exposure),
            topics.deltas.name: (topics.deltas, self.take_counts),
            topics.campaign_state.name: (topics.campaign_state, self.take_campaign),
            topics.feedback.name: (topics.feedback, self.take_feedback),
        }

    def start(self, topic: Topic, partition: int, low: int, _high: int) -> int:
        """Offset to go on from. A gap in the counts is noted: the experiment's outcomes lack what was in it."""
        if topic is self._topics.exposures or topic is self._topics.campaign_state:
            return low  # these are small, and keep what matters
        wanted = self.marks.offsets.get(topic.name, {}).get(partition, low)
        if low > wanted:
            gap = f"{topic.name}[{partition}]: offsets {wanted} to {low - 1} were deleted before they were collected"
            log.error("%s; collect at least every two days", gap)
            self.marks.gaps.append(gap)
            self._progress.pop(partition, None)
        return max(low, wanted)

    def take_exposure(self, record: Record) -> None:
        """The first list of a campaign; of this plan only."""
        one = msgspec.json.decode(record.value or b"", type=Exposure)
        if one.experiment != self._started.plan.name or one.plan_checksum != self._started.frozen.checksum:
            return
        for keyword in one.keywords:
            self._details.setdefault((one.campaign, keyword.canonical), (keyword.rank, keyword.source, keyword.reason))
        if one.campaign in self._computed:
            return
        keywords = [keyword.canonical for keyword in one.keywords]
        self._computed[one.campaign] = set(keywords)
        self._rows["exposures"].append(
            {"unit": one.unit, "arm": one.arm, "campaign": one.campaign, "exposed_at": one.exposed_at}
            | {"keywords": keywords}
        )

    def take_counts(self, record: Record) -> None:
        """A message of changes to counts, each once."""
        message = msgspec.msgpack.decode(record.value or b"", type=FeatureDeltas)
        progress = self._progress.setdefault(
            record.partition, Progress(f"{GROUP}/{record.partition}", Checkpoint(0, 1, None, [], {}, {}, {}, []))
        )
        if progress.take(message.envelope, may_join=True):
            sender, generation = message.envelope.sender, message.envelope.generation
            if minutes := message.minutes:
                first = int(np.frombuffer(minutes, "<i4").min()) * MINUTE_MS
                begins = self.marks.begins.setdefault(sender, {})
                begins[generation] = min(begins.get(generation, first), first)
            self._fresh.setdefault((sender, generation), []).append(campaign_rows(message))
        self.marks.offsets.setdefault(record.topic, {})[record.partition] = record.offset + 1

    def take_campaign(self, record: Record) -> None:
        """A campaign as it is now: that it exists, and which computed keywords it has since taken up."""
        if record.value is None:
            return
        one = msgspec.json.decode(record.value, type=CampaignState)
        if one.campaign not in self._known:
            self._known.add(one.campaign)
            self._rows["campaigns"].append(
                {"campaign": one.campaign, "unit": unit_of(one, self._started.plan.unit)}
                | {"category": one.category, "created_at": one.starts_at}
            )
        has = {self._canonical(keyword.text) for keyword in one.keywords}
        for keyword in sorted(has & self._computed.get(one.campaign, set())):
            if (one.campaign, keyword) not in self._adopted:
                self._adopted.add((one.campaign, keyword))
                self._rows["adoptions"].append({"campaign": one.campaign, "keyword": keyword, "at": one.updated_at})

    def take_feedback(self, record: Record) -> None:
        """What a seller did with a suggestion; rank, source and reason are those of the campaign's first list."""
        one = msgspec.json.decode(record.value or b"", type=Feedback)
        rank, source, reason = self._details.get((one.campaign, one.canonical), (None, None, None))
        self._rows["feedback"].append(
            {"campaign": one.campaign, "at": one.event_time, "action": one.action}
            | {"rank": rank, "source": source, "reason": reason}
        )
        self.marks.offsets.setdefault(record.topic, {})[record.partition] = record.offset + 1

    def counts(self) -> pl.DataFrame:
        """All counts, with the sender and generation that they are of."""
        fresh = [
            as_frame(rows).select(
                pl.lit(sender).alias("sender"), pl.lit(generation, pl.Int64).alias("generation"), *SCHEMA
            )
            for (sender, generation), rows in self._fresh.items()
        ]
        return pl.concat([self._counts, *fresh])

    def tables(self) -> Tables:
        """The experiment's tables as collected so far."""
        frames = {name: pl.DataFrame(rows, schema=empty(name).schema) for name, rows in self._rows.items()}
        lost_ms = self._settings.late_horizon_ms + self._settings.attribution_window_ms
        return Tables.checked(outcomes=reconciled(self.counts(), self.marks.begins, lost_ms), **frames)

    def write(self) -> Tables:
        """Write tables, counts and marks, all or nothing."""
        tables = self.tables()
        self.marks.seen = {partition: dict(progress.seen) for partition, progress in self._progress.items()}
        fresh, before = self._folder.with_name(_FRESH), self._folder.with_name(_BEFORE)
        shutil.rmtree(fresh, ignore_errors=True)
        tables.write(fresh)
        self.counts().write_parquet(fresh / _COUNTS)
        (fresh / _MARKS).write_bytes(msgspec.json.encode(self.marks))
        if self._folder.exists():
            self._folder.rename(before)
        fresh.rename(self._folder)
        shutil.rmtree(before, ignore_errors=True)
        return tables


def _finish(folder: Path) -> None:
    """Undo a write that was cut short between its two renames."""
    before = folder.with_name(_BEFORE)
    if before.exists() and not folder.exists():
        before.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def gaps(folder: Path) -> list[str]:
    """What counts the collected tables lack."""
    marks = folder / _MARKS
    return msgspec.json.decode(marks.read_bytes(), type=Marks).gaps if marks.exists() else []


def collect(started: Started, settings: Settings, reader: LogReader) -> Tables:
    """Read the topics to where they end now, and write the experiment's tables into its folder.

    Raises:
        KafkaException, Unreachable: a topic cannot be read.
        SequenceGap: counts are missing from the middle of the topic.
        IncompleteDictionary: the topic of the dictionary holds part of one.
    """
    collection = Collection(started, settings, published_forms(settings))
    for topic, take in collection.topics().values():
        for record in reader.until_now(topic, lambda *bounds, topic=topic: collection.start(topic, *bounds)):
            take(record)
    return collection.write()


def reconciled(counts: pl.DataFrame, begins: dict[str, dict[int, int]], lost_ms: int) -> pl.DataFrame:
    """Outcomes of which each minute is counted by one generation of its sender.

    A later generation counts the log again from where it is kept: it is whole from `lost_ms` (horizon and attribution
    window) after its first minute on, and holds from there; before that the one before it does.
    """
    rules = []
    for sender, generations in begins.items():
        order = sorted(generations)
        for place, generation in enumerate(order):
            first = 0 if not place else generations[generation] + lost_ms
            following = [generations[later] + lost_ms for later in order[place + 1 :]]
            rules.append((sender, generation, first, min(following, default=2**62)))
    frame = pl.DataFrame(
        rules,
        schema={"sender": pl.String, "generation": pl.Int64, "first": pl.Int64, "until": pl.Int64},
        orient="row",
    )
    held = counts.join(frame, on=["sender", "generation"])
    return summed(held.filter((pl.col("at") >= pl.col("first")) & (pl.col("at") < pl.col("until"))))
