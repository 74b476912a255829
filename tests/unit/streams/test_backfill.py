"""A backfill leaves what a live run would have left: vectors, log and checkpoints, all equal to the recount."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.archive import FeatureArchive
from feature_repo.vectors import KINDS, entity, split_entity, windows
from infra.settings import DAY_MS, HOUR_MS, MINUTE_MS, Settings, load
from streams import history
from streams.backfill.events import EVERY_MS
from streams.backfill.run import SOURCE, Backfill, NotEmpty, Summary
from streams.canonical import NORMAL, CanonicalForms
from streams.contracts.events import Click, Event, EventName, Purchase, Search
from streams.folding import fold
from streams.history import BadHistory
from streams.reference import recount, window_sums
from streams.shopper_stage import OtherDictionary
from tests.market import HORIZON_MS, UNTIL_MS, make_market, make_past
from tests.pipeline import Pipeline

EVENTS = 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days with duplicates, late and too late events."""
    folder = tmp_path_factory.mktemp("history")
    written = make_past(make_market(3, EVENTS, days=2.0, products=60, campaigns=20, keywords=300), folder).written
    assert min(written.duplicate, written.late, written.too_late) > 0
    return folder


def _settings(home: Path) -> Settings:
    return load(home=home, partitions=2, late_horizon_ms=HORIZON_MS, attribution_window_ms=DAY_MS)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


def _backfilled(settings: Settings, folder: Path, canonical: CanonicalForms = NORMAL) -> tuple[Summary, Pipeline]:
    """What the backfill says it did, and a pipeline that goes on from what it left."""
    pipeline = Pipeline(settings, UNTIL_MS, canonical)
    archive = FeatureArchive(settings.feature_log_path, SOURCE)
    summary = Backfill(settings, pipeline.checkpoints, pipeline.store, archive, canonical).run(folder)
    pipeline.past = {place: list(log.events()) for place, log in history.read(folder, settings.partitions).items()}
    return summary, pipeline


@pytest.fixture(scope="module")
def left(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, Pipeline]:
    """What a backfill has left; only to be looked at."""
    return _backfilled(_settings(tmp_path_factory.mktemp("home")), folder)


def test_every_vector_equals_the_recount(left: tuple[Summary, Pipeline]) -> None:
    summary, pipeline = left
    settings = pipeline.settings
    assert summary.events == sum(map(len, pipeline.past.values()))
    assert summary.too_late > 0
    assert summary.counted < summary.events - summary.too_late  # some came twice
    tiles = recount(pipeline.past, settings.late_horizon_ms, settings.attribution_window_ms)
    assert summary.entities == len(tiles)
    for name, minutes in tiles.items():
        kind, key = split_entity(name)
        vectors = pipeline.store.vectors(kind, [key])
        assert vectors.as_of[0] == summary.as_of
        assert vectors.sums[0].tolist() == window_sums(minutes, windows(settings.windows), summary.as_of), name


@pytest.mark.parametrize("hours", [1, 2, 13, 29, 47])
def test_the_log_holds_what_was_known_at_each_moment(left: tuple[Summary, Pipeline], folder: Path, hours: int) -> None:
    """The newest row of each entity is its vector as of the last moment: nothing due to time or events is missing."""
    summary, pipeline = left
    settings = pipeline.settings
    as_of = (UNTIL_MS - 2 * DAY_MS) // EVERY_MS * EVERY_MS + hours * HOUR_MS
    logs = history.read(folder, settings.partitions)
    known = {place: list(log.events(int(np.searchsorted(log.newest, as_of)))) for place, log in logs.items()}
    tiles = recount(known, settings.late_horizon_ms, settings.attribution_window_ms)
    expected = {name: window_sums(minutes, windows(settings.windows), as_of) for name, minutes in tiles.items()}
    log = _log(settings)
    assert len(log) == summary.log_rows
    newest = log.filter(pl.col("as_of") <= as_of).sort("as_of", "sequence").group_by("entity").last()
    assert dict(newest.select("entity", "sums").iter_rows()) == expected


def test_a_history_of_nothing_leaves_nothing(settings: Settings, folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.parquet"):
        pl.read_parquet(path).clear().write_parquet(tmp_path / path.name)
    summary, pipeline = _backfilled(settings, tmp_path)
    assert summary == Summary()
    pipeline.send("search", _search("ann"))
    pipeline.drain()
    assert pipeline.mismatches() == []


def test_a_live_run_goes_on_from_there(settings: Settings, folder: Path) -> None:
    _, pipeline = _backfilled(settings, folder)
    last = {place: events[-1] for place, events in pipeline.past.items()}
    for (name, partition), event in last.items():
        pipeline.send(name, event, partition)  # the producer repeats it
    pipeline.drain()
    assert pipeline.mismatches() == []

    purchase = last["purchase", 0]
    late: list[tuple[EventName, Event]] = [
        ("click", _click_before(purchase)),
        ("search", _search(purchase.shopper)),
    ]
    for name, event in late:
        pipeline.send(name, event, 0)
    pipeline.drain()
    assert pipeline.mismatches() == []
    pipeline.clock.advance_to(UNTIL_MS + DAY_MS)  # a quiet day: windows move on
    pipeline.drain()
    assert pipeline.mismatches() == []


def test_a_dictionary_holds_for_history_and_for_what_follows(settings: Settings, folder: Path) -> None:
    searched = pl.read_parquet(folder / "search.parquet")["query"]
    most = searched.value_counts(sort=True)["query"].to_list()[:2]
    merges = CanonicalForms("v1", {fold(text): "one wish" for text in most})
    _, pipeline = _backfilled(settings, folder, merges)
    pipeline.send("search", _search("ann"))
    pipeline.drain()
    assert pipeline.store.vectors("keyword", ["one wish"]).sums[0, -6] >= searched.is_in(most).sum() / 2
    assert pipeline.mismatches() == []
    pipeline.runners.clear()
    pipeline.canonical = NORMAL
    with pytest.raises(OtherDictionary, match="shopper/0 was counted under dictionary v1"):
        pipeline.run("shopper", 0)


def test_what_was_counted_is_not_told_again(settings: Settings, folder: Path) -> None:
    """Scorers read all vectors when they start; they need no signal an entity from what lies before."""
    _, pipeline = _backfilled(settings, folder)
    pipeline.send("search", _search("ann"))
    pipeline.drain()
    assert pipeline.broker.logs[pipeline.topics.signals.name, 0] == []
    assert pipeline.broker.logs[pipeline.topics.signals.name, 1] == []


def test_a_backfill_done_anew_replaces_its_log(
    settings: Settings, folder: Path, left: tuple[Summary, Pipeline]
) -> None:
    _backfilled(settings, folder)
    first = _log(settings)
    assert first.equals(_log(left[1].settings))
    _backfilled(settings, folder)
    assert _log(settings).equals(first)


def test_history_is_not_counted_on_top_of_checkpoints(left: tuple[Summary, Pipeline], folder: Path) -> None:
    _, pipeline = left
    rows = len(_log(pipeline.settings))
    archive = FeatureArchive(pipeline.settings.feature_log_path, SOURCE)
    with pytest.raises(NotEmpty, match="keypulse rebuild"):
        Backfill(pipeline.settings, pipeline.checkpoints, pipeline.store, archive).run(folder)
    assert len(_log(pipeline.settings)) == rows


def test_a_folder_that_cannot_be_used_costs_no_log(settings: Settings, folder: Path, tmp_path: Path) -> None:
    _backfilled(settings, folder)
    rows = len(_log(settings))
    with pytest.raises(BadHistory, match=r"search\.parquet is missing"):
        _backfilled(settings, tmp_path / "nowhere")
    assert len(_log(settings)) == rows


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("click", "position", 0, r"click\.parquet.*>= 1.*position"),
        ("search", "query", "", r"search\.parquet.*length >= 1.*query"),
        ("purchase", "event_time", 5, r"purchase\.parquet.*event_time"),
        ("impression", "item", None, r"impression\.parquet.*item"),
    ],
)
def test_a_value_that_no_event_may_have_is_named(
    settings: Settings, folder: Path, tmp_path: Path, name: str, column: str, value: object, message: str
) -> None:
    for path in folder.glob("*.parquet"):
        frame = pl.read_parquet(path)
        if path.stem == name:
            frame = frame.with_columns(pl.lit(value, frame[column].dtype).alias(column))
        frame.write_parquet(tmp_path / path.name)
    logs = history.read(tmp_path, settings.partitions).values()
    with pytest.raises(BadHistory, match=message):
        list(chain.from_iterable(log.events() for log in logs))


def _log(settings: Settings) -> pl.DataFrame:
    """All rows of the archive: entity, as_of (ms), sequence, sums."""
    kinds = []
    for kind in KINDS:
        rows = pl.read_parquet(settings.feature_log_path / f"kind={kind}/*.parquet", hive_partitioning=False)
        kinds.append(
            rows.select(
                pl.format(entity(kind, "{}"), kind).alias("entity"),
                pl.col("event_timestamp").dt.epoch("ms").alias("as_of"),
                "sequence",
                pl.col(f"{kind}_sums").cast(pl.List(pl.Int64)).alias("sums"),
            )
        )
    return pl.concat(kinds)


def _click_before(purchase: Event) -> Click:
    assert isinstance(purchase, Purchase)
    return Click(
        event_id="late-click",
        event_time=purchase.event_time - MINUTE_MS,
        schema_version=1,
        shopper=purchase.shopper,
        click_id="late",
        item=purchase.item,
        keyword="rain boots",
        position=1,
        search_id="s",
    )


def _search(shopper: str) -> Search:
    return Search(
        event_id="new", event_time=UNTIL_MS, schema_version=1, shopper=shopper, search_id="s", query="rain boots"
    )
