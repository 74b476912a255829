"""Messages of the feature log into the archive: each once, over repeats and restarts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from feature_repo.archive import FeatureArchive
from streams.contracts.messages import Envelope, FeatureRows
from streams.exactly_once import SequenceGap
from streams.feature_archive import ForeignArchive, PartitionArchiver

T = 1_760_000_000_000


def _message(number: int, *entities: str, generation: int = 1) -> bytes:
    sums = np.full((len(entities), 24), float(number)).tobytes()
    return msgspec.msgpack.encode(
        FeatureRows(Envelope("entity/0", generation, number), T + number, list(entities), sums, [])
    )


def _archived(folder: Path) -> list[tuple[str, int]]:
    log = pl.read_parquet(folder / "kind=item/*.parquet", hive_partitioning=False)
    return sorted(zip(log["item"], log["sequence"], strict=True))


def test_messages_become_rows(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(0, _message(1, "item:A", "item:B"), T + 40)
    partition.take(1, _message(2, "item:A"), T)  # a clock behind: never readable before it was summed
    assert (partition.rows, partition.flush(), partition.rows, partition.flush()) == (3, 3, 0, 0)
    log = pl.read_parquet(tmp_path / "kind=item/*.parquet", hive_partitioning=False).sort("sequence", "item")
    assert log["item_sums"].list.get(0).to_list() == [1, 1, 2]
    created = log["created"].dt.epoch("ms").to_list()
    assert created == [T + 40, T + 40, T + 2]


def test_a_message_published_again_is_dropped(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    for offset, number in enumerate([1, 2, 2, 1, 3]):
        partition.take(offset, _message(number, "item:A"), T)
    partition.flush()
    assert _archived(tmp_path) == [("A", 1), ("A", 2), ("A", 3)]


def test_it_is_dropped_after_a_restart_as_well(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(0, _message(1, "item:A"), T)
    partition.flush()
    restarted = PartitionArchiver(FeatureArchive(tmp_path), 0)
    assert restarted.next_offset == 1
    restarted.take(1, _message(1, "item:A"), T)
    restarted.take(2, _message(2, "item:A"), T)
    restarted.flush()
    assert _archived(tmp_path) == [("A", 1), ("A", 2)]


def test_what_was_not_flushed_is_read_again(tmp_path: Path) -> None:
    lost = PartitionArchiver(FeatureArchive(tmp_path), 0)
    lost.take(0, _message(1, "item:A"), T)
    restarted = PartitionArchiver(FeatureArchive(tmp_path), 0)
    assert restarted.start_at(0, 1) == 0
    restarted.take(0, _message(1, "item:A"), T)
    restarted.flush()
    assert _archived(tmp_path) == [("A", 1)]


def test_a_rebuilt_sender_counts_from_one(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(0, _message(1, "item:A"), T)
    partition.take(1, _message(1, "item:B", generation=2), T)
    partition.flush()
    assert _archived(tmp_path) == [("A", 1), ("B", 1)]


def test_a_missing_message_stops_it(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(0, _message(5, "item:A"), T)  # the log's beginning may be gone
    with pytest.raises(SequenceGap):
        partition.take(1, _message(7, "item:A"), T)


def test_deleted_offsets_are_passed_over_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(0, _message(1, "item:A"), T)
    partition.flush()
    restarted = PartitionArchiver(FeatureArchive(tmp_path), 0)
    assert restarted.start_at(5, 9) == 5
    assert "offsets 1 to 4 were deleted" in caplog.text
    restarted.take(5, _message(6, "item:A"), T)
    restarted.flush()
    assert _archived(tmp_path) == [("A", 1), ("A", 6)]


def test_an_archive_of_another_topic_is_refused(tmp_path: Path) -> None:
    partition = PartitionArchiver(FeatureArchive(tmp_path), 0)
    partition.take(7, _message(1, "item:A"), T)
    partition.flush()
    with pytest.raises(ForeignArchive, match="another topic"):
        PartitionArchiver(FeatureArchive(tmp_path), 0).start_at(0, 3)
