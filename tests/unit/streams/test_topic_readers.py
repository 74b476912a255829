"""In which order topics are read: none runs far ahead of one that has more than a batch to go."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.topic_readers import read


class Reader:
    """A topic of one partition whose records are event times. `down`: its broker gives nothing."""

    def __init__(self, times: list[int]) -> None:
        self.times = times
        self.next = 0
        self.down = False
        self.waits: list[float] = []

    @property
    def to_go(self) -> Mapping[int, int]:
        return {0: len(self.times) - self.next}

    def reached(self, to_go: Mapping[int, int]) -> int:
        return self.times[self.next - 1] if self.next else 0

    def read(self, most: int, timeout_s: float) -> list[tuple[int, int]]:
        self.waits.append(timeout_s)
        if self.down:
            return []
        taken = [(id(self), time) for time in self.times[self.next : self.next + most]]
        self.next += len(taken)
        return taken


def ahead(reader: Reader, others: list[Reader], batch: int) -> int:
    """Records that were read of a topic past the event time of one that has a batch or more to go."""
    behind = [other.reached({}) for other in others if sum(other.to_go.values()) >= batch]
    return sum(time > min(behind) for time in reader.times[: reader.next]) if behind else 0


_topic = st.tuples(st.integers(1, 60), st.integers(0, 300)).map(
    lambda step_and_count: [1 + step_and_count[0] * number for number in range(step_and_count[1])]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_topic, min_size=1, max_size=4), st.integers(1, 40))
def test_no_topic_runs_more_than_two_batches_ahead_and_all_are_read_once(topics: list[list[int]], batch: int) -> None:
    readers = [Reader(times) for times in topics]
    taken = []
    for _ in range(2 + 2 * sum(map(len, topics))):
        records = read(readers, batch, 0.02)  # type: ignore[arg-type]
        assert len(records) <= batch
        taken += records
        assert all(ahead(reader, readers, batch) < 2 * batch for reader in readers)
    assert [[time for of, time in taken if of == id(reader)] for reader in readers] == topics


def test_a_topic_that_gives_nothing_does_not_hold_up_the_others() -> None:
    stuck, going = Reader(list(range(1, 100))), Reader(list(range(1, 100)))
    stuck.down = True
    while going.next < 90:
        assert len(read([stuck, going], 10, 0.02)) == 10  # type: ignore[arg-type]


def test_a_batch_waits_once_to_fill_and_not_at_all_for_topics_that_are_at_their_end() -> None:
    quiet, busy = Reader([1]), Reader([1, 2])
    assert len(read([quiet, busy], 10, 0.02)) == 3  # type: ignore[arg-type]
    assert (quiet.waits, busy.waits) == ([0.02], [0.0])
    behind = Reader(list(range(100)))
    read([quiet, behind], 10, 0.02)  # type: ignore[arg-type]
    assert quiet.waits[-1] == 0.0
    assert behind.waits[0] > 0.02
