"""Which items each category has on sale. Kept beside the rows in the online store, and lost and reloaded with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from redis import Redis, RedisCluster

_CATEGORIES = "keypulse:{live}:categories"


class Move(NamedTuple):
    """An item goes from a category to another; None is "not on sale"."""

    item: str
    before: str | None
    after: str | None


class LiveItems(Protocol):
    """Sets of items: a move made twice counts once, whoever makes it."""

    def move(self, moves: Sequence[Move]) -> None:
        """Make the moves, in order."""
        ...

    def counts(self, categories: Iterable[str]) -> dict[str, int]:
        """How many items each of the categories has on sale."""
        ...

    def categories(self) -> list[str]:
        """Every category that ever had an item, sorted."""
        ...


class RedisLiveItems:
    """A Redis set a category. One hash tag, so that a cluster keeps them in one slot."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis

    def move(self, moves: Sequence[Move]) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for item, before, after in moves:
                if before is not None:
                    pipe.srem(_key(before), item)
                if after is not None:
                    pipe.sadd(_key(after), item)
                    pipe.sadd(_CATEGORIES, after)
            pipe.execute()

    def counts(self, categories: Iterable[str]) -> dict[str, int]:
        wanted = sorted(set(categories))
        with self._redis.pipeline(transaction=False) as pipe:
            for category in wanted:
                pipe.scard(_key(category))
            return dict(zip(wanted, pipe.execute(), strict=True))

    def categories(self) -> list[str]:
        names: set[bytes] = self._redis.smembers(_CATEGORIES)  # type: ignore[assignment]  # typed as maybe asynchronous
        return sorted(name.decode() for name in names)


class MemoryLiveItems:
    """In the process: the twin of `RedisLiveItems` for unit tests. One contract suite runs over both."""

    def __init__(self) -> None:
        self._items: dict[str, set[str]] = {}

    def move(self, moves: Sequence[Move]) -> None:
        for item, before, after in moves:
            if before is not None:
                self._items.get(before, set()).discard(item)
            if after is not None:
                self._items.setdefault(after, set()).add(item)

    def counts(self, categories: Iterable[str]) -> dict[str, int]:
        return {category: len(self._items.get(category, ())) for category in sorted(set(categories))}

    def categories(self) -> list[str]:
        return sorted(self._items)


def _key(category: str) -> str:
    return f"keypulse:{{live}}:items:{category}"
