"""The cache gives what the store has, reads seldom, and reads at once what a signal named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from feature_repo.memory import MemoryStore
from feature_repo.vector_reader import Vectors
from infra.clock import ManualClock
from infra.settings import Settings
from scorers.scoring import feature_cache
from scorers.scoring.feature_cache import FeatureCache

SETTINGS = Settings(scorer_vector_ttl_ms=1_000, scorer_unknown_ttl_ms=30_000)
WIDTH = 24


class CountingStore(MemoryStore):
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.acquire(0, 1)
        self.asked: list[dict[str, list[str]]] = []

    def put(self, entity: str, number: float, as_of: int = 1) -> None:
        self.write(0, 1, [entity], np.full((1, WIDTH), number), as_of)

    def read_many(self, keys: Mapping[str, Sequence[str]]) -> dict[str, Vectors]:
        self.asked.append({kind: list(of_kind) for kind, of_kind in keys.items()})
        return super().read_many(keys)


@pytest.fixture
def store() -> CountingStore:
    store = CountingStore()
    store.put("keyword:a", 1.0)
    store.put("keyword:b", 2.0)
    store.put("pair:i|a", 3.0)
    return store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000)


@pytest.fixture
def cache(store: CountingStore, clock: ManualClock) -> FeatureCache:
    return FeatureCache(store, SETTINGS, clock)


def first(vectors: Vectors) -> list[float]:
    return [float(row[0]) for row in vectors.sums]


def test_it_gives_what_the_store_has_in_the_order_asked(cache: FeatureCache) -> None:
    read = cache.read_many({"keyword": ["b", "none", "a", "b"], "pair": ["i|a"]})
    assert first(read["keyword"]) == [2.0, 0.0, 1.0, 2.0]
    assert read["keyword"].as_of.tolist() == [1, 0, 1, 1]
    assert first(read["pair"]) == [3.0]


def test_one_round_trip_for_all_kinds_and_none_while_fresh(cache: FeatureCache, store: CountingStore) -> None:
    for _ in range(3):
        cache.read_many({"keyword": ["a", "a"], "pair": ["i|a"]})
    assert store.asked == [{"keyword": ["a"], "pair": ["i|a"]}]


def test_a_known_vector_is_read_again_after_its_interval(
    cache: FeatureCache, store: CountingStore, clock: ManualClock
) -> None:
    cache.read_many({"keyword": ["a", "none"]})
    store.put("keyword:a", 9.0, 2)
    clock.advance_to(1_001_000)
    assert first(cache.read_many({"keyword": ["a", "none"]})["keyword"]) == [9.0, 0.0]
    assert store.asked[-1] == {"keyword": ["a"]}


def test_unknown_ones_are_looked_for_again_but_not_all_at_once(
    cache: FeatureCache, store: CountingStore, clock: ManualClock
) -> None:
    keys = [f"i|{number}" for number in range(100)]
    cache.read_many({"pair": keys})
    clock.advance_to(1_000_000 + 22_500)
    cache.read_many({"pair": keys})
    assert 40 < len(store.asked[-1]["pair"]) < 60
    clock.advance_to(1_000_000 + 30_000)
    cache.read_many({"pair": keys})
    assert {key for asked in store.asked[1:] for key in asked["pair"]} == set(keys)


def test_a_signal_makes_it_read_at_once(cache: FeatureCache, store: CountingStore) -> None:
    cache.read_many({"keyword": ["a"], "pair": ["i|new"]})
    store.put("keyword:a", 9.0, 2)
    store.put("pair:i|new", 4.0, 2)
    cache.forget(["keyword:a", "pair:i|new", "item:never asked for"])
    read = cache.read_many({"keyword": ["a"], "pair": ["i|new"]})
    assert (first(read["keyword"]), first(read["pair"])) == ([9.0], [4.0])


def test_memory_is_bounded(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "MOST_OF_A_KIND", 10)
    for start in range(0, 100, 5):
        cache.read_many({"pair": [f"i|{start + number}" for number in range(5)]})
        assert len(cache._tables["pair"].slots) <= 10
    assert first(cache.read_many({"pair": [*(f"x|{n}" for n in range(30)), "i|a"]})["pair"])[-1] == 3.0
