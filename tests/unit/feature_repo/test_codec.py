"""The codec's bytes equal those of Feast's own serialisation."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo import codec
from feature_repo.states import Value

feast_helpers = pytest.importorskip("feast.infra.online_stores.helpers")

times = st.integers(0, 4_102_444_800_000)
values: st.SearchStrategy[Value] = st.one_of(
    st.text(max_size=200), st.integers(-(2**63), 2**63 - 1), st.lists(st.text(max_size=20), max_size=8)
)


@given(st.sampled_from(["item", "keyword", "pair"]), st.text(max_size=300))
def test_row_key_is_feasts(kind: str, key: str) -> None:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    proto = EntityKey(join_keys=[kind], entity_values=[ValueProto(string_val=key)])
    assert codec.row_key(kind, key) == feast_helpers._redis_key(codec.PROJECT, proto)
    assert codec.entity_of(codec.row_key(kind, key)) == (kind, key)


def test_a_key_of_something_else_is_no_entitys() -> None:
    assert codec.entity_of(b"keypulse:fence:3") is None


def test_field_name_is_feasts() -> None:
    for view, feature in [("item_sums", "item_sums"), ("product", "title"), ("category_items", "live_items")]:
        assert codec.field_name(view, feature) == feast_helpers._mmh3(f"{view}:{feature}")


@given(times)
def test_timestamp_is_protobufs(time_ms: int) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    stamp = Timestamp()
    stamp.FromMilliseconds(time_ms)
    assert codec.encode_timestamp(time_ms) == stamp.SerializeToString()
    assert codec.decode_timestamp(stamp.SerializeToString()) == time_ms


def test_timestamp_of_feasts_writer_is_read() -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    stamp = Timestamp()
    stamp.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC))
    assert codec.decode_timestamp(stamp.SerializeToString()) == int(stamp.ToMilliseconds())


@given(st.lists(st.lists(st.integers(-(2**53), 2**53), min_size=24, max_size=24), min_size=1, max_size=5))
def test_vector_is_feasts_and_comes_back(rows: list[list[int]]) -> None:
    from feast.protos.feast.types.Value_pb2 import DoubleList
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    vectors = np.array(rows, dtype=np.float64)
    encoded = codec.encode_vectors(vectors)
    assert encoded == [ValueProto(double_list_val=DoubleList(val=row)).SerializeToString() for row in rows]
    assert (codec.decode_vectors(encoded, 24) == vectors).all()


@pytest.mark.parametrize("width", [6, 18, 24, 30])
def test_vector_of_any_windows_is_feasts(width: int) -> None:
    from feast.protos.feast.types.Value_pb2 import DoubleList
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    row = np.arange(width, dtype=np.float64)
    proto = ValueProto(double_list_val=DoubleList(val=row))
    assert codec.encode_vectors(row[np.newaxis]) == [proto.SerializeToString()]


def test_missing_vector_is_zeros() -> None:
    ones = np.ones((1, 24))
    decoded = codec.decode_vectors([None, *codec.encode_vectors(ones)], 24)
    assert (decoded == np.vstack([np.zeros((1, 24)), ones])).all()
    assert codec.decode_vectors([], 24).shape == (0, 24)


def test_vector_of_other_windows_names_the_cure() -> None:
    with pytest.raises(codec.UnexpectedBytes, match="KEYPULSE_WINDOWS"):
        codec.decode_vectors(codec.encode_vectors(np.ones((1, 18))), 24)


@given(values)
def test_value_is_feasts_and_comes_back(value: Value) -> None:
    from feast.protos.feast.types.Value_pb2 import StringList
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    if isinstance(value, str):
        proto = ValueProto(string_val=value)
    elif isinstance(value, int):
        proto = ValueProto(int64_val=value)
    else:
        proto = ValueProto(string_list_val=StringList(val=value))
    assert codec.encode_value(value) == proto.SerializeToString()
    assert codec.decode_value(codec.encode_value(value)) == value


def test_null_is_feasts() -> None:
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    assert codec.encode_value(None) == ValueProto().SerializeToString()
    assert codec.decode_value(b"") is None
    assert codec.decode_value(None) is None
