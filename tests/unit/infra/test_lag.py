"""The pure part of lag: when a record was written, seen from log ends alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infra.lag import POINTS_KEPT, PartitionLag, Timeline, lag_of


def test_time_is_interpolated_between_two_log_ends() -> None:
    timeline = Timeline()
    timeline.observe(100, 1_000)
    timeline.observe(200, 3_000)
    assert timeline.written_at(100) == 1_000
    assert timeline.written_at(150) == 2_000


def test_outside_of_what_was_seen_nothing_is_known() -> None:
    timeline = Timeline()
    assert timeline.written_at(0) is None
    timeline.observe(100, 1_000)
    timeline.observe(200, 3_000)
    assert timeline.written_at(99) is None
    assert timeline.written_at(200) is None


def test_a_log_at_rest_dates_the_next_record_to_the_end_of_the_rest() -> None:
    timeline = Timeline()
    for time_ms in range(0, 10_000, 1_000):
        timeline.observe(100, time_ms)
    timeline.observe(101, 10_000)
    assert timeline.written_at(100) == 9_000


def test_a_topic_made_anew_starts_a_new_timeline() -> None:
    timeline = Timeline()
    timeline.observe(100, 1_000)
    timeline.observe(200, 2_000)
    timeline.observe(5, 3_000)
    assert timeline.written_at(150) is None


def test_memory_is_bounded() -> None:
    timeline = Timeline()
    for end in range(10 * POINTS_KEPT):
        timeline.observe(end, end)
    assert timeline.written_at(9 * POINTS_KEPT - 1) is None
    assert timeline.written_at(10 * POINTS_KEPT - 2) == 10 * POINTS_KEPT - 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=2, max_size=40), st.data())
def test_a_later_record_is_never_dated_earlier(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    timeline, end, time_ms = Timeline(), 0, 0
    for written, passed in steps:
        end, time_ms = end + written, time_ms + passed
        timeline.observe(end, time_ms)
    offsets = sorted(data.draw(st.lists(st.integers(0, end), min_size=2, max_size=10)))
    times = [time for offset in offsets if (time := timeline.written_at(offset)) is not None]
    assert times == sorted(times)
    assert all(0 <= time <= time_ms for time in times)


def test_lag_counts_records_and_the_age_of_the_oldest() -> None:
    assert lag_of("g", ("t", 0), 40, 50, 7_000, 10_000) == PartitionLag("g", "t", 0, 40, 50, 10, 3.0)


def test_a_group_that_has_read_everything_has_no_age() -> None:
    assert lag_of("g", ("t", 0), 50, 50, None, 10_000) == PartitionLag("g", "t", 0, 50, 50, 0, 0.0)


def test_a_partition_never_committed_lags_by_its_whole_log() -> None:
    assert lag_of("g", ("t", 0), None, 50, None, 10_000) == PartitionLag("g", "t", 0, None, 50, 50, None)


def test_a_record_dated_ahead_of_this_clock_is_not_of_negative_age() -> None:
    assert lag_of("g", ("t", 0), 1, 2, 11_000, 10_000).lag_seconds == 0
