"""The point-in-time join: only what was readable by the moment asked for, never a row lost or out of place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.archive import FeatureArchive, ServedVectors
from feature_repo.offline import NoFeatureLog, training_vectors
from feature_repo.repository import feature_store
from feature_repo.vectors import KINDS
from infra.settings import Settings, load

T = 1_760_000_000_000
WIDTH = 24


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path)


def _served(entities: list[str], value: float, as_of_ms: int, created_ms: int | None = None, sequence: int = 0):
    sums = np.full((len(entities), WIDTH), value)
    return ServedVectors(entities, sums, as_of_ms, as_of_ms if created_ms is None else created_ms, sequence)


def _asked(*rows: tuple[str | None, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"item": [item for item, _ in rows], "event_timestamp": [moment for _, moment in rows]},
        schema={"item": pl.String, "event_timestamp": pl.Int64},
    )


def _values(frame: pl.DataFrame, settings: Settings) -> list[float]:
    """The one value of each row's item vector."""
    vectors = training_vectors(frame, settings)["item"]
    assert (vectors == vectors[:, :1]).all()
    return vectors[:, 0].tolist()


def test_planted_rows(settings: Settings) -> None:
    FeatureArchive(settings.feature_log_path).write(
        0,
        0,
        4,
        [
            _served(["item:A", "pair:A|x"], 1, T, T + 30),
            _served(["item:A", "item:B"], 2, T + 1_000, T + 1_030),
            _served(["item:A"], 3, T + 2_000, T + 2_030),
        ],
    )
    asked = _asked(
        ("A", T + 2_030),  # exactly when it was readable
        ("A", T + 2_029),  # summed, but not yet readable
        ("A", T + 29),  # nothing yet
        ("B", T + 9_999_999),
        ("C", T + 9_999_999),  # unknown
        (None, T + 5_000),  # no such entity
        ("A", T + 1_030),
        ("A", T + 30),
    )
    assert _values(asked, settings) == [3, 2, 0, 2, 0, 0, 2, 1]


def test_rows_that_share_entity_and_moment_are_all_kept_in_order(settings: Settings) -> None:
    FeatureArchive(settings.feature_log_path).write(0, 0, 1, [_served(["item:A", "item:B"], 5, T)])
    asked = _asked(*[("B", T + 1), ("A", T + 1), ("B", T + 1), (None, T + 1), ("B", T - 1)] * 40)
    assert _values(asked, settings) == [5, 5, 5, 0, 0] * 40


def test_of_one_moment_the_last_created_stands(settings: Settings) -> None:
    archive = FeatureArchive(settings.feature_log_path)
    archive.write(0, 0, 1, [_served(["item:A"], 1, T, T + 50, 1), _served(["item:A"], 2, T, T + 20, 2)])
    assert _values(_asked(("A", T + 30), ("A", T + 60)), settings) == [2, 1]


def test_an_older_vector_made_readable_late_does_not_stand_over_a_newer(settings: Settings) -> None:
    archive = FeatureArchive(settings.feature_log_path)
    archive.write(0, 0, 1, [_served(["item:A"], 2, T + 1_000, T + 1_010), _served(["item:A"], 1, T, T + 2_000)])
    assert _values(_asked(("A", T + 3_000)), settings) == [2]


def test_without_a_log_the_cure_is_named(settings: Settings) -> None:
    with pytest.raises(NoFeatureLog, match="backfill"):
        training_vectors(_asked(("A", T)), settings)


def test_every_kind_equals_a_polars_as_of_join(settings: Settings) -> None:
    rng = np.random.default_rng(3)
    archive = FeatureArchive(settings.feature_log_path)
    for part in range(4):
        batches = []
        for step in range(60):
            entities = sorted({f"{kind}:{key}" for kind in KINDS for key in rng.integers(0, 12, 3)})
            as_of = T + (part * 60 + step) * 1_000
            sums = rng.integers(0, 1_000, (len(entities), WIDTH)).astype(np.float64)
            batches.append(ServedVectors(entities, sums, as_of, as_of + int(rng.integers(0, 900)), step))
        archive.write(part % 2, part, part + 1, batches)
    rows = 3_000
    frame = pl.DataFrame(
        {
            "event_timestamp": rng.integers(T - 5_000, T + 250_000, rows),
            **{kind: rng.integers(0, 14, rows).astype(str) for kind in KINDS},
        }
    )
    told: list[tuple[str, int, int]] = []
    vectors = training_vectors(frame, settings, lambda *step: told.append(step))
    assert told == [(kind, number, len(KINDS)) for number, kind in enumerate(KINDS, start=1)]
    for kind in KINDS:
        log = pl.read_parquet(settings.feature_log_path / f"kind={kind}/*.parquet", hive_partitioning=False)
        moments = pl.col("event_timestamp").cast(pl.Datetime("ms", "UTC"))
        joined = (
            frame.with_row_index("row")
            .with_columns(moments)
            .sort("event_timestamp")
            .join_asof(
                log.select(kind, "created", f"{kind}_sums").sort("created"),
                left_on="event_timestamp",
                right_on="created",
                by=kind,
                check_sortedness=False,
            )
            .sort("row")
        )
        expected = np.array([row or [0.0] * WIDTH for row in joined[f"{kind}_sums"].to_list()])
        assert (vectors[kind] == expected).all()


@pytest.mark.parametrize("by_created", [False, True])
def test_the_engine_gives_what_feasts_own_gives(settings: Settings, by_created: bool, tmp_path: Path) -> None:
    """Feast's DuckDB store on the same views and rows, through the same interface."""
    import pandas as pd
    from feast.infra.offline_stores.duckdb import DuckDBOfflineStore

    from feature_repo.offline_store import KeypulseDuckDBOfflineStore

    rng = np.random.default_rng(5)
    batches = []
    for step in range(50):
        entities = [f"{kind}:{rng.integers(0, 4)}" for kind in ("item", "category")]
        as_of = T + int(rng.integers(0, 40)) * 1_000  # ties and disorder
        sums = np.full((2, WIDTH), float(step))
        batches.append(ServedVectors(entities, sums, as_of, as_of + step, step))
    FeatureArchive(settings.feature_log_path).write(0, 0, 1, batches)
    store = feature_store(settings)
    views = [store.get_feature_view(name) for name in ("item_sums", "category_sums")]
    frame = pd.DataFrame(
        {
            "row_id": range(200),
            "event_timestamp": pd.to_datetime(rng.integers(T, T + 45_000, 200), unit="ms", utc=True),
            "item": rng.integers(0, 5, 200).astype(str),
            "category": rng.integers(0, 5, 200).astype(str),
        }
    )
    references = ["item_sums:item_sums", "category_sums:category_sums"]
    answers = []
    for engine in (KeypulseDuckDBOfflineStore, DuckDBOfflineStore):
        for view in views:
            view.batch_source.file_options.uri = str(
                settings.feature_log_path / f"kind={view.entities[0]}" / "*.parquet"
            )
        job = engine.get_historical_features(
            store.config, views, references, frame.copy(), store.registry, store.project, True, by_created
        )
        answers.append(job.to_arrow().to_pandas().sort_values("row_id").reset_index(drop=True))
    ours, feasts = answers
    assert list(ours.columns) == list(feasts.columns)
    for column in ours.columns:
        assert [_plain(value) for value in ours[column]] == [_plain(value) for value in feasts[column]]


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else None if value is None else str(value)


def test_on_demand_features_are_part_of_a_training_set(settings: Settings) -> None:
    import pandas as pd

    from feature_repo.derived import derive, derived_names

    archive = FeatureArchive(settings.feature_log_path)
    archive.write(0, 0, 1, [_served(["item:A"], 3, T), _served(["category:shoes"], 9, T)])
    rows = pd.DataFrame(
        {"event_timestamp": [pd.Timestamp(T, unit="ms", tz="UTC")] * 2, "item": ["A", "B"], "category": ["shoes"] * 2}
    )
    names = [f"item_{name}" for name in derived_names(settings.windows)]
    frame = feature_store(settings).get_historical_features(rows, [f"item_derived:{name}" for name in names]).to_df()
    sums = np.array([[3.0] * WIDTH, [0.0] * WIDTH])
    expected = derive(sums, np.full((2, WIDTH), 9.0), settings.windows, settings)
    np.testing.assert_allclose(frame[names].to_numpy(), expected, rtol=1e-12)
