"""The archive holds each row once, whatever a crash left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.archive import FeatureArchive, Mark, ServedVectors

T = 1_760_000_000_000
WIDTH = 24


def _served(*entities: str, value: float = 1, as_of_ms: int = T, sequence: int = 1) -> ServedVectors:
    return ServedVectors(entities, np.full((len(entities), WIDTH), value), as_of_ms, as_of_ms + 30, sequence)


def _rows(folder: Path, kind: str) -> list[tuple[str, float, int]]:
    if not list(folder.glob(f"kind={kind}/*.parquet")):
        return []
    log = pl.read_parquet(folder / f"kind={kind}/*.parquet", hive_partitioning=False)
    return sorted((row[kind], row[f"{kind}_sums"][0], row["sequence"]) for row in log.iter_rows(named=True))


def test_rows_go_to_their_kinds_with_all_columns(tmp_path: Path) -> None:
    archive = FeatureArchive(tmp_path)
    assert archive.write(3, 0, 7, [_served("item:A", "pair:A|x"), _served("item:B", value=2, sequence=2)]) == 3
    assert _rows(tmp_path, "item") == [("A", 1, 1), ("B", 2, 2)]
    log = pl.read_parquet(tmp_path / "kind=pair/*.parquet", hive_partitioning=False)
    assert log.columns == ["pair", "event_timestamp", "created", "sequence", "pair_sums"]
    [row] = log.to_dicts()
    assert row["pair"] == "A|x"
    assert (row["event_timestamp"].timestamp() * 1_000, row["created"].timestamp() * 1_000) == (T, T + 30)
    assert row["pair_sums"] == [1.0] * WIDTH


def test_numbers_survive_to_the_unit(tmp_path: Path) -> None:
    sums = np.array([[2.0**53, *range(WIDTH - 1)]])
    FeatureArchive(tmp_path).write(0, 0, 1, [ServedVectors(["item:A"], sums, T, T, 1)])
    [row] = pl.read_parquet(tmp_path / "kind=item/*.parquet", hive_partitioning=False)["item_sums"].to_list()
    assert row == sums[0].tolist()


def test_a_new_partition_begins_at_nothing(tmp_path: Path) -> None:
    assert FeatureArchive(tmp_path).resume(0) == Mark(0, {})


def test_the_mark_is_found_again(tmp_path: Path) -> None:
    FeatureArchive(tmp_path).write(2, 0, 9, [_served("item:A")], {"entity/2": [1, 5]})
    assert FeatureArchive(tmp_path).resume(2) == Mark(9, {"entity/2": [1, 5]})
    assert FeatureArchive(tmp_path).resume(0) == Mark(0, {})


def test_offsets_without_rows_move_the_mark(tmp_path: Path) -> None:
    archive = FeatureArchive(tmp_path)
    assert archive.write(0, 0, 4, []) == 0
    assert archive.resume(0).next_offset == 4


class Crash(Exception):
    pass


@pytest.mark.parametrize("files_written", [0, 1, 2, 3])
def test_a_crash_before_the_mark_leaves_no_duplicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_written: int
) -> None:
    archive = FeatureArchive(tmp_path)
    archive.write(0, 0, 1, [_served("item:A", "pair:A|x", "keyword:x")])
    second, third = _served("item:A", "pair:A|x", "keyword:x", value=2, sequence=2), _served("item:B", sequence=3)
    renames = [0]
    rename = Path.rename

    def crashing_rename(path: Path, target: Path) -> Path:
        if renames[0] == files_written:
            raise Crash
        renames[0] += 1
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crashing_rename)
        with pytest.raises(Crash):
            archive.write(0, 1, 2, [second])

    restarted = FeatureArchive(tmp_path)
    assert restarted.resume(0).next_offset == 1
    restarted.write(0, 1, 3, [second, third])  # another range than before the crash
    assert _rows(tmp_path, "item") == [("A", 1, 1), ("A", 2, 2), ("B", 1, 3)]
    assert _rows(tmp_path, "pair") == [("A|x", 1, 1), ("A|x", 2, 2)]
    assert _rows(tmp_path, "keyword") == [("x", 1, 1), ("x", 2, 2)]
    assert not list(tmp_path.rglob("*.new"))


def test_a_restart_leaves_other_partitions_and_sources_alone(tmp_path: Path) -> None:
    FeatureArchive(tmp_path, "backfill").write(1, 0, 5, [_served("item:A")])
    FeatureArchive(tmp_path).write(11, 0, 5, [_served("item:B")])
    FeatureArchive(tmp_path).resume(1)
    assert _rows(tmp_path, "item") == [("A", 1, 1), ("B", 1, 1)]


def test_clear_deletes_one_source(tmp_path: Path) -> None:
    backfill, live = FeatureArchive(tmp_path, "backfill"), FeatureArchive(tmp_path)
    backfill.write(0, 0, 5, [_served("item:A")])
    live.write(0, 0, 6, [_served("item:B")])
    backfill.clear()
    assert _rows(tmp_path, "item") == [("B", 1, 1)]
    assert (backfill.resume(0).next_offset, live.resume(0).next_offset) == (0, 6)
