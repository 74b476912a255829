"""What every record of live items does: the one in memory and Redis alike."""

from __future__ import annotations

import pytest
from redis import Redis

from streams.agents.live_items import LiveItems, MemoryLiveItems, Move, RedisLiveItems


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.integration)])
def live(request: pytest.FixtureRequest) -> LiveItems:
    if request.param == "memory":
        return MemoryLiveItems()
    redis = Redis.from_url(request.getfixturevalue("online_redis_url"))
    redis.flushall()
    return RedisLiveItems(redis)


def test_nothing_is_on_sale_at_first(live: LiveItems) -> None:
    assert live.categories() == []
    assert live.counts(["shoes"]) == {"shoes": 0}


def test_items_come_move_and_go(live: LiveItems) -> None:
    live.move([Move("a", None, "shoes"), Move("b", None, "shoes"), Move("c", None, "hats, größe M")])
    live.move([Move("a", "shoes", "hats, größe M"), Move("b", "shoes", None)])
    assert live.counts(["shoes", "hats, größe M", "never"]) == {"shoes": 0, "hats, größe M": 2, "never": 0}
    assert live.categories() == ["hats, größe M", "shoes"]


def test_a_move_made_again_changes_nothing(live: LiveItems) -> None:
    for _ in range(2):
        live.move([Move("a", None, "shoes"), Move("b", "hats", "shoes"), Move("b", "shoes", None)])
    assert live.counts(["shoes", "hats"]) == {"hats": 0, "shoes": 1}
    assert live.categories() == ["shoes"]
    live.move([])
