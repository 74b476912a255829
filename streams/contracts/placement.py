"""Does a record lie where its shopper's events meet? A click and its purchase have to lie in one partition."""

from __future__ import annotations

from functools import lru_cache

from infra.murmur2 import partition_of
from streams.contracts.rejection import Rejected

_CURE = "set key=shopper and partitioner=murmur2_random, so that a shopper's events meet in one partition"

# A shopper's events come in bursts: remembered, a partition costs a tenth of what it costs to work out.
_partition_of = lru_cache(maxsize=1 << 16)(partition_of)


def check_placement(key: bytes | None, shopper: str, partition: int, partitions: int) -> None:
    """Check the key of a record in `partition` of a topic of `partitions`.

    Raises:
        Rejected: the key is not the shopper, or lies in another partition.
    """
    if key is None or key != shopper.encode():
        raise Rejected(
            "wrong_partition", "key", f"the record's key is {key!r}, the event's shopper {shopper!r}; {_CURE}"
        )
    if (right := _partition_of(key, partitions)) != partition:
        raise Rejected(
            "wrong_partition", "key", f"{shopper!r} lies in partition {partition}, murmur2 puts it in {right}; {_CURE}"
        )
