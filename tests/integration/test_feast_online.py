"""Feast reads what the fast path writes, and the fast path what Feast writes: same bytes, same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from feature_repo.derived import derive, derived_names
from feature_repo.repository import feature_store
from feature_repo.state_writer import StateWriter
from feature_repo.vector_reader import VectorReader
from feature_repo.vector_writer import VectorWriter
from feature_repo.vectors import KINDS, sum_names
from infra.settings import Settings, load

pytestmark = pytest.mark.integration

NOW = 1_760_000_000_123
WIDTH = 24


@pytest.fixture(scope="module")
def settings(online_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    url = f"{online_redis_url.rsplit('/', 1)[0]}/8"
    return load(home=tmp_path_factory.mktemp("home"), online_redis_url=url)


@pytest.fixture(scope="module")
def redis(settings: Settings) -> Redis:
    redis = Redis.from_url(settings.online_redis_url)
    redis.flushdb()
    return redis


@pytest.fixture(scope="module")
def store(settings: Settings) -> Any:
    return feature_store(settings)


@pytest.fixture(scope="module")
def reader(redis: Redis, settings: Settings) -> VectorReader:
    """A reader of a store that holds 30 entities of each kind."""
    writer = VectorWriter(redis, settings)
    writer.acquire(0, 1)
    sums = np.random.default_rng(7).integers(0, 10_000_000, (len(KINDS) * 30, WIDTH)).astype(np.float64)
    writer.write(0, 1, [f"{kind}:{kind} {row}|größe" for kind in KINDS for row in range(30)], sums, NOW)
    return VectorReader(redis, settings)


@pytest.mark.parametrize("kind", KINDS)
def test_matrix_read_equals_get_online_features(kind: str, store: Any, reader: VectorReader) -> None:
    keys = [f"{kind} {row}|größe" for row in range(30)] + ["nobody", f"{kind} 3|größe"]
    response = store.get_online_features([f"{kind}_sums:{kind}_sums"], [{kind: key} for key in keys])
    vectors = response.to_dict()[f"{kind}_sums"]
    read = reader.vectors(kind, keys)
    assert vectors[30] is None
    assert not read.sums[30].any()
    present = [row for row in range(len(keys)) if row != 30]
    assert (np.array([vectors[row] for row in present]) == read.sums[present]).all()
    result = response.proto.results[-1]
    assert [stamp.ToMilliseconds() for stamp in result.event_timestamps] == read.as_of.tolist()


def test_an_unknown_entity_is_not_found(store: Any, reader: VectorReader) -> None:
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

    response = store.get_online_features(["item_sums:item_sums"], [{"item": "item 1|größe"}, {"item": "nobody"}])
    statuses = response.proto.results[-1].statuses
    assert list(statuses) == [FieldStatus.PRESENT, FieldStatus.NOT_FOUND]


def test_derived_view_equals_derive(store: Any, reader: VectorReader, settings: Settings) -> None:
    pairs = ["pair 1|größe", "nobody", "pair 2|größe"]
    categories = ["category 5|größe", "category 5|größe", "nobody"]
    rows = [{"pair": pair, "category": category} for pair, category in zip(pairs, categories, strict=True)]
    names = [f"pair_{name}" for name in derived_names(settings.windows)]
    answer = store.get_online_features([f"pair_derived:{name}" for name in names], rows).to_dict()
    expected = derive(
        reader.vectors("pair", pairs).sums, reader.vectors("category", categories).sums, settings.windows, settings
    )
    np.testing.assert_allclose(np.array([answer[name] for name in names]).T, expected, rtol=1e-12)


def test_a_feature_service_answers_in_one_call(store: Any, reader: VectorReader) -> None:
    row = {kind: f"{kind} 4|größe" for kind in KINDS}
    answer = store.get_online_features(store.get_feature_service("ranker_v1"), [row]).to_dict()
    for kind in KINDS:
        assert answer[f"{kind}_sums"][0] == reader.vectors(kind, [row[kind]]).sums[0].tolist()
    assert {"item_ctr_7d", "pair_searches_trend_10m_1h", "price", "live_items", "state"} <= answer.keys()
    page = store.get_online_features(store.get_feature_service("keyword_suggestions_v1"), [row]).to_dict()
    assert page["item_sums"] == answer["item_sums"]


def test_state_rows_equal_get_online_features(store: Any, redis: Redis, reader: VectorReader) -> None:
    row = {
        "item": "A1",
        "title": "Rain boots – größe 37",
        "category": "shoes",
        "category_path": ["clothing", "shoes"],
        "price": 4_999,
        "shipping": None,
        "condition": "new",
        "brand": None,
        "seller": "S1",
        "specification": '{"size": "37"}',
        "updated_at": NOW,
    }
    StateWriter(redis).write("product", [row])
    features = [f"product:{name}" for name in row if name != "item"]
    answer = store.get_online_features(features, [{"item": "A1"}, {"item": "A2"}]).to_dict()
    assert {name: values[0] for name, values in answer.items()} == row
    assert {name: values[1] for name, values in answer.items() if name != "item"} == dict.fromkeys(
        [name for name in row if name != "item"]
    )
    assert reader.rows("product", ["A1"]) == [{name: value for name, value in row.items() if name != "item"}]


def test_what_feast_writes_is_read(store: Any, reader: VectorReader) -> None:
    import pandas as pd

    vector = np.arange(WIDTH, dtype=np.float64)
    moment = pd.Timestamp(NOW, unit="ms", tz="UTC")
    frame = pd.DataFrame(
        {"item": ["by feast"], "item_sums": [vector.tolist()], "event_timestamp": [moment], "created": [moment]}
    )
    store.write_to_online_store("item_sums", frame)
    read = reader.vectors("item", ["by feast"])
    assert (read.sums[0] == vector).all()
    assert read.as_of.tolist() == [NOW]


def test_the_width_is_that_of_the_settings(settings: Settings) -> None:
    assert len(sum_names(settings.windows)) == WIDTH


def test_connection_string_is_the_urls() -> None:
    from feature_repo.online_store import connection_string

    assert connection_string("redis://127.0.0.1:6380/0") == "127.0.0.1:6380,db=0"
    assert connection_string("rediss://me:p%40ss@store/2") == "store:6379,db=2,username=me,password=p@ss,ssl=true"


def test_registry_lies_in_home(store: Any, settings: Settings) -> None:
    assert Path(store.config.registry.path) == settings.home.absolute() / "registry.db"
