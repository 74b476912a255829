"""A row's bytes as Feast lays them in Redis. Imports no feast, which costs seconds and hundreds of megabytes.

A row is a hash. Its key is the serialised entity key (version 3) followed by the project; a field's name is the
little-endian murmur3 of `view:feature`; a field's value is a serialised `ValueProto`; the field `_ts:view` holds the
row's event timestamp as a protobuf `Timestamp`. Format: docs/specs/online_store_format.md of Feast 0.67; tests assert
that the bytes equal Feast's own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache, lru_cache

import mmh3
import numpy as np
from numpy.typing import NDArray

from feature_repo.states import Value
from feature_repo.vectors import KINDS
from infra.failure import Failure

PROJECT = "keypulse"
"""The Feast project: part of every key."""

_STRING = 2  # ValueType.STRING
_PROJECT_BYTES = PROJECT.encode()

# Tags of ValueProto's members (field number << 3 | wire type).
_STRING_VAL = b"\x12"
_INT64_VAL = b"\x20"
_STRING_LIST_VAL = b"\x62"
_DOUBLE_LIST_VAL = b"\x7a"
_REPEATED = b"\x0a"  # member `val` of a list message


class UnexpectedBytes(Failure):
    """The online store holds bytes that these settings don't write."""


def vector_view(kind: str) -> str:
    """Name of the Feast view that holds the vectors of entities of `kind`, and of its one feature, `Array(Float64)`.

    One name for both, so that features of several kinds can be asked for together.
    """
    return f"{kind}_sums"


# --- keys and field names ----------------------------------------------------------------------------------------


def row_key(kind: str, key: str) -> bytes:
    """Redis key of an entity's hash. The join key is named as its kind."""
    value = key.encode()
    return b"%b%b%b%b" % (_key_prefix(kind), len(value).to_bytes(4, "little"), value, _PROJECT_BYTES)


def entity_of(row_key: bytes) -> tuple[str, str] | None:
    """Kind and key of the entity whose hash it is; None for a key of something else."""
    for kind in KINDS:
        prefix = _key_prefix(kind)
        if row_key.startswith(prefix) and row_key.endswith(_PROJECT_BYTES):
            return kind, row_key[len(prefix) + 4 : -len(_PROJECT_BYTES)].decode()
    return None


@cache
def _key_prefix(kind: str) -> bytes:
    join_key = kind.encode()
    return struct.pack(f"<III{len(join_key)}sI", 1, _STRING, len(join_key), join_key, _STRING)


@cache
def field_name(view: str, feature: str) -> bytes:
    """Name of a feature's field in the hash."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


@cache
def timestamp_name(view: str) -> bytes:
    """Name of the field that holds the view's event timestamp."""
    return f"_ts:{view}".encode()


# --- timestamps --------------------------------------------------------------------------------------------------


def encode_timestamp(time_ms: int) -> bytes:
    """A protobuf `Timestamp`; `time_ms` since 1970, not negative."""
    seconds, millis = divmod(time_ms, 1000)
    encoded = b"\x08" + _varint(seconds) if seconds else b""
    return encoded + b"\x10" + _varint(millis * 1_000_000) if millis else encoded


@lru_cache(maxsize=65_536)
def decode_timestamp(value: bytes) -> int:
    """Milliseconds since 1970 of a protobuf `Timestamp`."""
    seconds, nanos, at = 0, 0, 0
    while at < len(value):
        tag = value[at]
        number, at = _read_varint(value, at + 1)
        if tag == 0x08:
            seconds = number
        elif tag == 0x10:
            nanos = number
    return seconds * 1000 + nanos // 1_000_000


# --- vectors -----------------------------------------------------------------------------------------------------


def encode_vectors(vectors: NDArray[np.float64]) -> list[bytes]:
    """Each row of n x V numbers as a `ValueProto` with a `double_list_val`."""
    rows, width = vectors.shape
    head = np.frombuffer(_vector_head(width), dtype=np.uint8)
    encoded = np.empty((rows, len(head) + 8 * width), dtype=np.uint8)
    encoded[:, : len(head)] = head
    encoded[:, len(head) :] = np.ascontiguousarray(vectors, dtype="<f8").view(np.uint8)
    # An opaque type (V) keeps trailing zero bytes, which numpy's bytes type would strip.
    values: list[bytes] = encoded.view(f"V{encoded.shape[1]}").ravel().tolist()
    return values


def decode_vectors(values: Sequence[bytes | None], width: int) -> NDArray[np.float64]:
    """The inverse of `encode_vectors`: n x `width`; a missing value is a row of zeros.

    Raises:
        UnexpectedBytes: a value is not a vector of `width` numbers.
    """
    head = _vector_head(width)
    missing = head + bytes(8 * width)
    rows = [missing if value is None else value for value in values]
    size = len(missing)
    if any(len(row) != size or not row.startswith(head) for row in rows):
        raise UnexpectedBytes(
            f"the online store holds a vector that has not {width} numbers: it was written with other "
            "KEYPULSE_WINDOWS; set them as they were, or run `keypulse rebuild`"
        )
    matrix = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), size)
    return np.ascontiguousarray(matrix[:, len(head) :]).view("<f8").reshape(len(rows), width)


@cache
def _vector_head(width: int) -> bytes:
    numbers = _REPEATED + _varint(8 * width)
    return _DOUBLE_LIST_VAL + _varint(len(numbers) + 8 * width) + numbers


# --- fields of state views ---------------------------------------------------------------------------------------


def encode_value(value: Value) -> bytes:
    """A `ValueProto` of one field: text, a whole number of 64 bits, a list of text, or null (None)."""
    if value is None:
        return b""
    if isinstance(value, str):
        return _STRING_VAL + _with_length(value.encode())
    if isinstance(value, int):
        return _INT64_VAL + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    return _STRING_LIST_VAL + _with_length(b"".join(_REPEATED + _with_length(text.encode()) for text in value))


def decode_value(value: bytes | None) -> Value:
    """The inverse of `encode_value`; a missing field is None, as null is."""
    if not value:
        return None
    tag = value[:1]
    number, at = _read_varint(value, 1)
    if tag == _STRING_VAL:
        return value[at : at + number].decode()
    if tag == _INT64_VAL:
        return number - (1 << 64) if number >> 63 else number
    if tag == _STRING_LIST_VAL:
        texts: list[str] = []
        while at < len(value):
            length, at = _read_varint(value, at + 1)
            texts.append(value[at : at + length].decode())
            at += length
        return texts
    raise UnexpectedBytes(f"the online store holds {value[:16]!r} where text or a whole number belongs")


# --- protobuf ----------------------------------------------------------------------------------------------------


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(value: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = value[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _with_length(value: bytes) -> bytes:
    return _varint(len(value)) + value
