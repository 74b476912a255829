"""Exactly once, by checkpoint, outbox, sequence and fence: one mechanism for every stage that keeps state.

A stage owns a partition of its inputs. For each batch it makes *one atomic write*: the journal entry of what changed,
input offsets, the numbers of messages sent and seen, and the outbox, i.e. the encoded messages that follow from the
batch. The write names the owner's epoch; a former owner's write is refused (`Fenced`) and it publishes nothing. Only
then is the outbox published. After a crash the new owner restores, publishes the outbox again, byte for byte, and goes
on; receivers drop the numbers they have seen (`Progress.take`). So a replay needs no determinism, and the counts rest
on no Kafka transaction.

State is snapshot + journal: a stage folds journal entries back in by its own pure code. A snapshot replaces the journal
when that has grown past a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import msgspec
import redis
from msgspec import Struct

from infra.failure import Fenced as Fenced
from streams.contracts.messages import Envelope

TopicPartition = tuple[str, int]
BY_KEY = -1
"""The partition of an `Outgoing` that the producer's partitioner (murmur2) is to choose by key."""


class SequenceGap(Exception):
    """A sender's messages are missing: number n + 2 came after n. Stop loudly; counts would be wrong from here on."""


class Outgoing(Struct, frozen=True, array_like=True):
    """An encoded message, waiting in the outbox. A value of None is a tombstone."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Write:
    """What one atomic write of an owner changes. What is empty stays as it was."""

    entry: bytes | None = None
    """Appended to the journal."""
    snapshot: bytes | None = None
    """Replaces snapshot *and* journal; holds what `entry` would have added."""
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """Next offset to read."""
    sent: dict[str, int] = field(default_factory=dict)
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    outbox: Sequence[Outgoing] = ()
    """Appended to the outbox."""
    published: int = 0
    """So many messages at the outbox's head are acknowledged by the broker and leave it."""


@dataclass(frozen=True)
class Checkpoint:
    """What an owner finds when it takes a partition over."""

    epoch: int
    generation: int
    snapshot: bytes | None
    journal: list[bytes]
    offsets: dict[TopicPartition, int]
    sent: dict[str, int]
    seen: dict[str, tuple[int, int]]
    outbox: list[Outgoing]


class CheckpointStore(Protocol):
    """Where checkpoints are kept. Calls block until the write is durable."""

    def acquire(self, owner: str) -> Checkpoint:
        """Take `owner` (e.g. `shopper/3`) over: raise its epoch, which fences the former owner, and read all."""
        ...

    def commit(self, owner: str, epoch: int, write: Write) -> None:
        """Apply `write`, all or nothing.

        Raises:
            Fenced: `epoch` is no longer the owner's.
        """
        ...

    def offsets(self, owner: str) -> dict[TopicPartition, int]:
        """Next offsets to read, without taking the owner over: to see how far it has come."""
        ...

    def reset(self, owner: str, at_least: int = 0) -> None:
        """Forget everything of `owner` but its epoch, which is raised, and its generation, which is raised as well.

        Both to `at_least` or more: should the store have lost them, numbers that others saw must not come again.
        """
        ...


class Progress:
    """Numbers of the messages a stage has sent to each receiver and seen from each sender."""

    def __init__(self, owner: str, checkpoint: Checkpoint) -> None:
        self._owner = owner
        self._generation = checkpoint.generation
        self.sent = dict(checkpoint.sent)
        self.seen = dict(checkpoint.seen)

    def next_envelope(self, receiver: str) -> Envelope:
        """The envelope of the next message to `receiver`."""
        number = self.sent.get(receiver, 0) + 1
        self.sent[receiver] = number
        return Envelope(self._owner, self._generation, number)

    def take(self, envelope: Envelope, *, may_join: bool = False) -> bool:
        """Whether a received message is new; then it counts as seen. A sender of `""` keeps no count.

        With `may_join`, a sender never heard of before may be joined in the middle: for a receiver to which older
        messages mean nothing.

        Raises:
            SequenceGap: one or more of the sender's messages are missing.
        """
        if not envelope.sender:
            return True
        known = self.seen.get(envelope.sender)
        generation, number = known or (0, 0)
        if envelope.generation < generation or (envelope.generation == generation and envelope.sequence <= number):
            return False
        expected = number + 1 if envelope.generation == generation else 1
        if envelope.sequence != expected and not (may_join and known is None):
            raise SequenceGap(
                f"{self._owner} expected message {expected} of generation {envelope.generation} from "
                f"{envelope.sender}, got {envelope.sequence}: messages are missing. Run `keypulse rebuild`"
            )
        self.seen[envelope.sender] = (envelope.generation, envelope.sequence)
        return True


class MemoryCheckpoints:
    """Checkpoints in the process: for tests, and for a backfill, which writes one snapshot at its end."""

    def __init__(self) -> None:
        self._owners: dict[str, Checkpoint] = {}

    def acquire(self, owner: str) -> Checkpoint:
        old = self._owners.get(owner)
        self._owners[owner] = (
            Checkpoint(1, 1, None, [], {}, {}, {}, [])
            if old is None
            else Checkpoint(
                old.epoch + 1,
                old.generation,
                old.snapshot,
                list(old.journal),
                dict(old.offsets),
                dict(old.sent),
                dict(old.seen),
                list(old.outbox),
            )
        )
        return self._owners[owner]

    def commit(self, owner: str, epoch: int, write: Write) -> None:
        old = self._owners.get(owner)
        if old is None or old.epoch != epoch:
            raise Fenced(f"{owner}: epoch {epoch} is over, another worker has taken it over")
        journal = [] if write.snapshot is not None else list(old.journal)
        if write.entry is not None and write.snapshot is None:
            journal.append(write.entry)
        self._owners[owner] = Checkpoint(
            old.epoch,
            old.generation,
            old.snapshot if write.snapshot is None else write.snapshot,
            journal,
            old.offsets | write.offsets,
            old.sent | write.sent,
            old.seen | write.seen,
            [*old.outbox[write.published :], *write.outbox],
        )

    def offsets(self, owner: str) -> dict[TopicPartition, int]:
        kept = self._owners.get(owner)
        return dict(kept.offsets) if kept else {}

    def reset(self, owner: str, at_least: int = 0) -> None:
        old = self.acquire(owner)
        epoch, generation = max(old.epoch, at_least), max(old.generation + 1, at_least)
        self._owners[owner] = Checkpoint(epoch, generation, None, [], {}, {}, {}, [])


# Writes nothing unless ARGV[1] is the owner's epoch. ARGV: epoch, published, snapshot or '', entry or '', number of
# position fields, then field/value pairs of positions, then outbox messages.
_COMMIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local published = tonumber(ARGV[2])
if published > 0 then redis.call('LTRIM', KEYS[5], published, -1) end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[2], ARGV[3])
  redis.call('DEL', KEYS[3])
elseif ARGV[4] ~= '' then
  redis.call('RPUSH', KEYS[3], ARGV[4])
end
local last = 5 + 2 * tonumber(ARGV[5])
for i = 6, last, 2 do redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1]) end
for i = last + 1, #ARGV do redis.call('RPUSH', KEYS[5], ARGV[i]) end
return 1
"""


class RedisCheckpoints:
    """Checkpoints in Redis, which must run with `appendonly yes` and `appendfsync always`.

    All keys of an owner share one hash tag, so that its write is one transaction on Redis Cluster as well.
    """

    def __init__(self, client: redis.Redis, namespace: str = "") -> None:
        self._redis = client
        self._namespace = namespace
        self._commit = client.register_script(_COMMIT)

    def acquire(self, owner: str) -> Checkpoint:
        epoch_key, snapshot_key, journal_key, positions_key, outbox_key = self._keys(owner)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.incr(epoch_key)
        pipeline.get(self._key(owner, "generation"))
        pipeline.get(snapshot_key)
        pipeline.lrange(journal_key, 0, -1)
        pipeline.hgetall(positions_key)
        pipeline.lrange(outbox_key, 0, -1)
        epoch, generation, snapshot, journal, positions, outbox = pipeline.execute()
        offsets, sent, seen = _split_positions(positions)
        return Checkpoint(
            int(epoch),
            int(generation or 1),
            snapshot,
            journal,
            offsets,
            sent,
            seen,
            [msgspec.msgpack.decode(message, type=Outgoing) for message in outbox],
        )

    def commit(self, owner: str, epoch: int, write: Write) -> None:
        positions = _join_positions(write)
        arguments: list[bytes | str | int] = [
            epoch,
            write.published,
            write.snapshot or b"",
            write.entry or b"",
            len(positions) // 2,
            *positions,
            *(msgspec.msgpack.encode(message) for message in write.outbox),
        ]
        if not self._commit(keys=self._keys(owner), args=arguments):
            raise Fenced(f"{owner}: epoch {epoch} is over, another worker has taken it over")

    def offsets(self, owner: str) -> dict[TopicPartition, int]:
        positions = cast("dict[bytes, bytes]", self._redis.hgetall(self._key(owner, "positions")))
        return _split_positions(positions)[0]

    def reset(self, owner: str, at_least: int = 0) -> None:
        epoch_key, *state_keys = self._keys(owner)
        generation_key = self._key(owner, "generation")
        epoch, generation = cast("list[bytes | None]", self._redis.mget(epoch_key, generation_key))
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.set(epoch_key, max(int(epoch or 0) + 1, at_least))
        # A generation starts at 1 although its key is only written by the first reset.
        pipeline.set(generation_key, max(int(generation or 1) + 1, at_least))
        pipeline.delete(*state_keys)
        pipeline.execute()

    def _keys(self, owner: str) -> list[str]:
        return [self._key(owner, part) for part in ("epoch", "snapshot", "journal", "positions", "outbox")]

    def _key(self, owner: str, part: str) -> str:
        return f"keypulse:{{{self._namespace}{owner}}}:{part}"


def _join_positions(write: Write) -> list[str | int]:
    """Offsets and numbers as fields and values of one hash."""
    positions: list[str | int] = []
    for (topic, partition), offset in write.offsets.items():
        positions += [f"offset {topic} {partition}", offset]
    for receiver, number in write.sent.items():
        positions += [f"sent {receiver}", number]
    for sender, (generation, number) in write.seen.items():
        positions += [f"seen {sender}", f"{generation} {number}"]
    return positions


def _split_positions(
    positions: dict[bytes, bytes],
) -> tuple[dict[TopicPartition, int], dict[str, int], dict[str, tuple[int, int]]]:
    offsets: dict[TopicPartition, int] = {}
    sent: dict[str, int] = {}
    seen: dict[str, tuple[int, int]] = {}
    for raw, value in positions.items():
        what, *name = raw.decode().split(" ")
        if what == "offset":
            offsets[name[0], int(name[1])] = int(value)
        elif what == "sent":
            sent[name[0]] = int(value)
        else:
            generation, number = value.split()
            seen[name[0]] = (int(generation), int(number))
    return offsets, sent, seen
