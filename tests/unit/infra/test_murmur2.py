"""The partitioner agrees with Java's and with librdkafka's."""

from __future__ import annotations

import pytest

from infra.murmur2 import _murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # from Kafka's own UtilsTest.testMurmur2
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_hash_equals_javas(key: str, hashed: int) -> None:
    assert _murmur2(key.encode()) == hashed & 0xFFFFFFFF


def test_partition_ignores_the_sign() -> None:
    assert partition_of(b"foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7
