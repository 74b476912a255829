"""Tables out of stream records: each count once, corrected, whatever restarts and rebuilds happened."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from feature_repo.vectors import METRICS
from infra.settings import HOUR_MS, MINUTE_MS, Settings
from scorers.experiments.collection import Collection, reconciled
from scorers.experiments.frozen import Started, freeze, load
from scorers.experiments.outcomes import decoded
from streams.canonical import CanonicalForms
from streams.contracts.examples import EXPOSURE, FEEDBACK
from streams.contracts.messages import CampaignKeyword, CampaignState, Envelope, Exposure, FeatureDeltas
from streams.exactly_once import SequenceGap
from streams.stage import Record
from tests.unit.scorers.experiments.synthetic import PLAN, plan

SETTINGS = Settings.model_construct()
START = plan().start_ms


def started(folder: Path) -> Started:
    source = folder / "boots.yaml"
    source.write_text(PLAN)
    freeze(source, plan(), folder / "experiments", START - 1)
    return load(folder / "experiments", "boots")


def deltas(number: int, *rows: tuple[str, int, int, int], generation: int = 1, sender: str = "shopper/0") -> bytes:
    """A message of (entity, minute, purchases, revenue) rows."""
    entities = list(dict.fromkeys(row[0] for row in rows))
    amounts = np.zeros((len(rows), len(METRICS)), "<i8")
    for place, (_, _, purchases, revenue) in enumerate(rows):
        amounts[place, METRICS.index("purchases")] = purchases
        amounts[place, METRICS.index("revenue")] = revenue
    return msgspec.msgpack.encode(
        FeatureDeltas(
            Envelope(sender, generation, number),
            entities,
            np.array([entities.index(row[0]) for row in rows], "<i4").tobytes(),
            np.array([row[1] // MINUTE_MS for row in rows], "<i4").tobytes(),
            amounts.tobytes(),
            [],
        )
    )


def record(value: object, offset: int = 0, topic: str = "t") -> Record:
    data = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Record(topic, 0, offset, None, data, 0)


def exposure(of: Started, campaign: str, at: int, **changed: object) -> Exposure:
    known = {"experiment": "boots", "plan_checksum": of.frozen.checksum, "campaign": campaign, "exposed_at": at}
    return msgspec.structs.replace(EXPOSURE, **{**known, **changed})


def campaign(name: str, *keywords: str, at: int = START) -> CampaignState:
    return CampaignState(
        schema_version=1,
        campaign=name,
        seller="m-1",
        items=["i-9"],
        keywords=[CampaignKeyword(text=text) for text in keywords],
        category="shoes",
        starts_at=START - HOUR_MS,
        updated_at=at,
    )


def test_counts_are_of_campaigns_and_corrections_take_back() -> None:
    counted = decoded(
        [
            deltas(1, ("campaign:c-3", START, 1, 500), ("item:i-9", START, 1, 500)),
            deltas(2, ("campaign:c-3", START, -1, -500), ("campaign:c-4", START, 1, 500)),
        ]
    )
    assert counted.to_dicts() == [{"campaign": "c-4", "at": START, "clicks": 0, "purchases": 1, "revenue": 500}]


def test_a_message_counts_once_over_repeats_and_restarts(tmp_path: Path) -> None:
    of = started(tmp_path)
    first = Collection(of, SETTINGS)
    for offset, number in enumerate((1, 2, 2, 1)):
        first.take_counts(record(deltas(number, ("campaign:c-3", START, 1, 500)), offset))
    first.write()
    again = Collection(of, SETTINGS)
    assert again.marks.offsets == {"t": {0: 4}}
    again.take_counts(record(deltas(2, ("campaign:c-3", START, 1, 500)), 4))
    again.take_counts(record(deltas(3, ("campaign:c-3", START, 1, 500)), 5))
    assert again.write().outcomes.get_column("purchases").sum() == 3
    with pytest.raises(SequenceGap):
        again.take_counts(record(deltas(5, ("campaign:c-3", START, 1, 500)), 6))


def test_a_write_that_was_cut_short_loses_nothing(tmp_path: Path) -> None:
    of = started(tmp_path)
    first = Collection(of, SETTINGS)
    first.take_counts(record(deltas(1, ("campaign:c-3", START, 1, 500))))
    first.write()
    of.tables.rename(of.tables.with_name("tables.before"))
    assert Collection(of, SETTINGS).tables().outcomes.height == 1


def test_after_a_rebuild_each_minute_is_counted_by_one_generation() -> None:
    day = 24 * HOUR_MS
    lost = HOUR_MS + day
    rows = [("shopper/0", 1, "c", START + hour * HOUR_MS, 0, 1, 100) for hour in range(96)]
    rows += [("shopper/0", 7, "c", START + hour * HOUR_MS, 0, 1, 100) for hour in range(40, 120)]
    names = ("sender", "generation", "campaign", "at", "clicks", "purchases", "revenue")
    counts = pl.DataFrame(rows, schema=names, orient="row")
    begins = {"shopper/0": {1: START, 7: START + 40 * HOUR_MS}}
    found = reconciled(counts, begins, lost)
    assert found.get_column("purchases").to_list() == [1] * 120


def test_exposures_are_the_first_of_this_plan_and_adoptions_what_was_computed(tmp_path: Path) -> None:
    of = started(tmp_path)
    collection = Collection(of, SETTINGS)
    for one in (
        exposure(of, "c-1", START, plan_checksum="another"),
        exposure(of, "c-1", START, experiment="shoes"),
        exposure(of, "c-1", START + 5),
        exposure(of, "c-1", START + 9),
    ):
        collection.take_exposure(record(one))
    for one in (
        campaign("c-1", "red shoes"),
        campaign("c-1", "red shoes", "Rain Boots", at=START + 100),
        campaign("c-1", "Rain Boots", at=START + 200),
        campaign("c-2", "Rain Boots"),
    ):
        collection.take_campaign(record(one))
    collection.take_campaign(Record("t", 0, 0, b"c-2", None, 0))
    collection.take_feedback(record(msgspec.structs.replace(FEEDBACK, campaign="c-1", event_time=START + 50)))
    tables = collection.tables()
    assert tables.exposures.select("campaign", "exposed_at").rows() == [("c-1", START + 5)]
    assert tables.adoptions.rows() == [("c-1", "boot rain", START + 100)]
    assert tables.campaigns.get_column("campaign").to_list() == ["c-1", "c-2"]
    assert tables.feedback.select("action", "rank", "source", "reason").rows() == [("accepted", 1, "dense", "rising")]


def test_a_keyword_is_taken_up_in_whatever_words_the_dictionary_counts_with_it(tmp_path: Path) -> None:
    of = started(tmp_path)
    collection = Collection(of, SETTINGS, CanonicalForms("v1", {"rian boots": "boot rain"}))
    collection.take_exposure(record(exposure(of, "c-1", START)))
    collection.take_campaign(record(campaign("c-1", "Rian boots", at=START + 100)))
    assert collection.tables().adoptions.rows() == [("c-1", "boot rain", START + 100)]


def test_a_gap_is_noted(tmp_path: Path) -> None:
    collection = Collection(started(tmp_path), SETTINGS)
    topic = next(topic for topic, _ in collection.topics().values() if topic.schema == "FeatureDeltas")
    collection.marks.offsets[topic.name] = {0: 10}
    assert collection.start(topic, 0, 5, 20) == 10
    assert collection.start(topic, 0, 15, 20) == 15
    assert "offsets 10 to 14 were deleted" in collection.marks.gaps[0]
