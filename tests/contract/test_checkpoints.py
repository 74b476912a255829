"""One contract for checkpoints in memory and in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from infra.failure import Fenced
from streams.contracts.messages import Envelope
from streams.exactly_once import (
    CheckpointStore,
    MemoryCheckpoints,
    Outgoing,
    Progress,
    RedisCheckpoints,
    SequenceGap,
    Write,
)

MESSAGES = [Outgoing("t", number, b"key", f"m{number}".encode()) for number in range(3)]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Iterator[CheckpointStore]:
    if request.param == "memory":
        yield MemoryCheckpoints()
        return
    with Redis.from_url(request.getfixturevalue("redis_url")) as redis:
        redis.flushall()
        yield RedisCheckpoints(redis, "test.")


def test_a_new_owner_finds_nothing(store: CheckpointStore) -> None:
    found = store.acquire("shopper/0")
    assert (found.snapshot, found.journal, found.offsets, found.sent, found.seen, found.outbox) == (
        None, [], {}, {}, {}, [],
    )  # fmt: skip
    assert found.generation == 1


def test_a_write_is_found_whole(store: CheckpointStore) -> None:
    epoch = store.acquire("shopper/0").epoch
    offsets = {("events.click", 0): 7, ("events.search", 0): 9}
    store.commit("shopper/0", epoch, Write(b"one", offsets=offsets, sent={"entity/1": 3}, outbox=MESSAGES))
    store.commit("shopper/0", epoch, Write(b"two", offsets={("events.click", 0): 8}, seen={"shopper/2": (1, 5)}))
    found = store.acquire("shopper/0")
    assert found.journal == [b"one", b"two"]
    assert found.offsets == {("events.click", 0): 8, ("events.search", 0): 9}
    assert found.sent == {"entity/1": 3}
    assert found.seen == {"shopper/2": (1, 5)}
    assert found.outbox == MESSAGES
    assert store.offsets("shopper/0") == found.offsets


def test_what_was_published_leaves_the_head_of_the_outbox(store: CheckpointStore) -> None:
    epoch = store.acquire("entity/0").epoch
    store.commit("entity/0", epoch, Write(b"one", outbox=MESSAGES[:2]))
    store.commit("entity/0", epoch, Write(b"two", outbox=MESSAGES[2:], published=2))
    assert store.acquire("entity/0").outbox == MESSAGES[2:]


def test_a_tombstone_stays_one(store: CheckpointStore) -> None:
    epoch = store.acquire("scorer/0").epoch
    store.commit("scorer/0", epoch, Write(outbox=[Outgoing("t", -1, b"key", None)]))
    assert store.acquire("scorer/0").outbox == [Outgoing("t", -1, b"key", None)]


def test_a_snapshot_replaces_the_journal(store: CheckpointStore) -> None:
    epoch = store.acquire("entity/0").epoch
    store.commit("entity/0", epoch, Write(b"one"))
    store.commit("entity/0", epoch, Write(b"two", snapshot=b"one and two"))
    store.commit("entity/0", epoch, Write(b"three"))
    found = store.acquire("entity/0")
    assert (found.snapshot, found.journal) == (b"one and two", [b"three"])


def test_a_former_owner_writes_nothing(store: CheckpointStore) -> None:
    former = store.acquire("shopper/0").epoch
    current = store.acquire("shopper/0").epoch
    with pytest.raises(Fenced):
        store.commit("shopper/0", former, Write(b"late", offsets={("t", 0): 1}, outbox=MESSAGES))
    store.commit("shopper/0", current, Write(b"mine"))
    found = store.acquire("shopper/0")
    assert (found.journal, found.offsets, found.outbox) == ([b"mine"], {}, [])


def test_a_reset_forgets_all_and_raises_epoch_and_generation(store: CheckpointStore) -> None:
    former = store.acquire("shopper/0")
    store.commit("shopper/0", former.epoch, Write(b"one", offsets={("t", 0): 1}, outbox=MESSAGES))
    store.reset("shopper/0")
    with pytest.raises(Fenced):
        store.commit("shopper/0", former.epoch, Write(b"late"))
    found = store.acquire("shopper/0")
    assert found.generation == former.generation + 1
    assert (found.journal, found.offsets, found.outbox) == ([], {}, [])


def test_a_reset_raises_to_a_given_number_and_never_lowers(store: CheckpointStore) -> None:
    store.reset("shopper/0", 1_000)
    first = store.acquire("shopper/0")
    assert (first.epoch > 1_000, first.generation) == (True, 1_000)
    store.reset("shopper/0", 500)
    second = store.acquire("shopper/0")
    assert (second.epoch > first.epoch, second.generation) == (True, 1_001)


def test_owners_are_apart(store: CheckpointStore) -> None:
    epoch = store.acquire("shopper/0").epoch
    store.commit("shopper/0", epoch, Write(b"one"))
    assert store.acquire("shopper/1").journal == []


def _progress(store: CheckpointStore) -> Progress:
    return Progress("entity/0", store.acquire("entity/0"))


def test_a_repeated_message_is_dropped_and_a_missing_one_is_noticed() -> None:
    progress = _progress(MemoryCheckpoints())
    assert [progress.take(Envelope("shopper/0", 1, number)) for number in (1, 2, 2, 1, 3)] == [
        True, True, False, False, True,
    ]  # fmt: skip
    with pytest.raises(SequenceGap, match="expected message 4"):
        progress.take(Envelope("shopper/0", 1, 5))


def test_a_new_generation_counts_from_one_and_the_old_one_is_dropped() -> None:
    progress = _progress(MemoryCheckpoints())
    assert progress.take(Envelope("shopper/0", 1, 1))
    assert progress.take(Envelope("shopper/0", 2, 1))
    assert not progress.take(Envelope("shopper/0", 1, 2))
    with pytest.raises(SequenceGap):
        progress.take(Envelope("shopper/0", 3, 2))


def test_a_receiver_may_join_in_the_middle_only_where_it_says_so() -> None:
    progress = _progress(MemoryCheckpoints())
    with pytest.raises(SequenceGap):
        progress.take(Envelope("entity/0", 1, 41))
    assert progress.take(Envelope("entity/0", 1, 41), may_join=True)
    with pytest.raises(SequenceGap):
        progress.take(Envelope("entity/0", 1, 43), may_join=True)
