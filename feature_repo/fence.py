"""The fence of the online store: which epoch may write the vectors of a partition.

A new owner raises the fence before it reads anything else, so that a vector which the former owner still sends is
refused and cannot stand over a newer one. The fence lies in the online store itself, so a store that lost its data has
lost the fence too, and that is how it is noticed.
"""

from __future__ import annotations

from infra.failure import Fenced


class StoreEmptied(Exception):
    """The online store lost its data since `acquire`: acquire again, then write every vector again."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"online store: the fence of partition {partition} is gone, so its vectors are too")


def fenced(partition: int, epoch: int, held: int) -> Fenced:
    """The error of an owner whose `epoch` is not what the fence holds."""
    return Fenced(
        f"online store: partition {partition} belongs to epoch {held}, ours is {epoch}: another worker has taken it "
        "over. If the checkpoints were lost and the online store was not, run `keypulse rebuild`"
    )


def fence_key(partition: int) -> str:
    """Redis key of a partition's fence. Its value is the epoch in decimal."""
    return f"keypulse:fence:{partition}"


def whole_key(partition: int) -> str:
    """Redis key that says that every vector of the partition was written since the store was last empty.

    It is not the fence, as an owner must set that first: were it killed before it has written all, its successor would
    find a fence and write nothing again.
    """
    return f"keypulse:whole:{partition}"


RAISE_FENCE = """
local held = redis.call('GET', KEYS[1])
if not held or tonumber(held) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return held
"""
"""Lua: raise the fence KEYS[1] to epoch ARGV[1] unless it is higher; returns what it was, nil when there was none."""


def check(partition: int, epoch: int, held: bytes | None) -> None:
    """Compare what the fence holds with our epoch.

    Raises:
        StoreEmptied: there is no fence.
        Fenced: it holds another epoch.
    """
    if held is None:
        raise StoreEmptied(partition)
    if int(held) != epoch:
        raise fenced(partition, epoch, int(held))
