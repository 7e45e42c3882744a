"""Finds the tensors of a TensorFlow checkpoint (``model.ckpt.index`` and its data files), without TensorFlow.

The index is a table of LevelDB's format: blocks of sorted keys, each sharing a prefix with the one before. Its
values are protocol buffers, ``BundleHeaderProto`` for the empty key and ``BundleEntryProto`` for each tensor
(``tensorflow/core/protobuf/tensor_bundle.proto``). The data files hold the raw numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from sparkalbert.convert.checkpoint.stored import StoredTensor, check_inside
from sparkalbert.errors import CheckpointError

__all__ = ["tensorflow_tensors"]

_FOOTER_BYTES: Final = 48
_MAGIC: Final = bytes.fromhex("57fb808b247547db")
_TRAILER_BYTES: Final = 5
_MAX_INDEX_BYTES: Final = 16 << 20
_MAX_ENTRIES: Final = 10_000
_MAX_KEY_BYTES: Final = 1_024
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_MAX_BITS: Final = 64
_DTYPES: Final[Mapping[int, str]] = {1: "F32", 2: "F64", 14: "BF16", 19: "F16"}
"""``DataType`` of ``tensorflow/core/framework/types.proto``."""


class _Entry(NamedTuple):
    """A ``BundleEntryProto``."""

    data_type: int
    shape: tuple[int, ...]
    shard_id: int
    offset: int
    size: int
    is_partitioned: bool

    @classmethod
    def parse(cls, message: bytes) -> _Entry:
        fields = _fields(message)
        data_type, shard_id, offset, size = (int(fields.get(number, [0])[-1]) for number in (1, 3, 4, 5))
        slices = fields.get(7, [])
        dimensions = [_fields(dimension) for shape in fields.get(2, []) for dimension in _fields(shape).get(2, [])]
        shape = tuple(int(dimension.get(1, [0])[-1]) for dimension in dimensions)
        return cls(data_type, shape, shard_id, offset, size, bool(slices))


def tensorflow_tensors(index: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a checkpoint by name.

    Parameters
    ----------
    index
        The file ``PREFIX.index``; ``PREFIX.data-00000-of-00001`` is beside it.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged or of another format.
    """
    try:
        if index.stat().st_size > _MAX_INDEX_BYTES:
            msg = f"{index.name} is larger than the index of any model"
            raise CheckpointError(msg)
        table: dict[bytes, bytes] = {}
        for name, value in _table(index.read_bytes()):
            table[name] = value
            if len(table) > _MAX_ENTRIES:
                msg = f"{index.name} holds more than {_MAX_ENTRIES:,} tensors, which no model has"
                raise CheckpointError(msg)
        header = _fields(table.pop(b""))
        entries = {key.decode(): _Entry.parse(value) for key, value in table.items()}
        if header.get(2, [0])[-1]:
            msg = f"{index.name} is big-endian; save it again on a little-endian machine"
            raise CheckpointError(msg)
        num_shards = header.get(1, [0])[-1]
        return {name: _located(index, name, entry, num_shards) for name, entry in entries.items()}
    except (OSError, LookupError, ValueError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        msg = f"{index.name} is not a complete index of a TensorFlow checkpoint ({error}); download it again"
        raise CheckpointError(msg) from error


def _located(index: Path, name: str, entry: _Entry, num_shards: int) -> StoredTensor:
    data = index.with_name(f"{index.stem}.data-{entry.shard_id:05d}-of-{num_shards:05d}")
    if not data.is_file():
        msg = f"{index.name} names the data file {data.name}, which is missing"
        raise CheckpointError(msg)
    if entry.is_partitioned:
        msg = f"{index.name} holds {name} in several parts; save it without partitions"
        raise CheckpointError(msg)
    dtype = _DTYPES.get(entry.data_type, f"DataType {entry.data_type}")
    tensor = StoredTensor(data, entry.offset, dtype, entry.shape)
    check_inside(tensor, name, 0, entry.offset + entry.size)
    return tensor


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or not footer.endswith(_MAGIC):
        msg = "it has no footer"
        raise ValueError(msg)
    at = 0
    for _ in range(2):  # the position of the meta index, which is not used
        _, at = _varint(footer, at)
    num_bytes = 0
    for _, handle in _block(content, *_handle(footer, at)):
        start, size = _handle(handle, 0)
        num_bytes += size + _TRAILER_BYTES
        if num_bytes > len(content):
            msg = "its blocks overlap"
            raise ValueError(msg)
        yield from _block(content, start, size)


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of one block, which ends with the positions of the keys that are stored in full."""
    block = content[start : start + size + 1]
    if len(block) <= size or block[size]:
        msg = "a block is missing or compressed"
        raise ValueError(msg)
    num_restarts = int.from_bytes(block[size - 4 : size], "little")
    stop = size - 4 * (num_restarts + 1)
    key, at = b"", 0
    while at < stop:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + unshared + length > stop:
            msg = "a key or value is longer than its block"
            raise ValueError(msg)
        if shared + unshared > _MAX_KEY_BYTES:
            msg = f"a name is longer than {_MAX_KEY_BYTES:,} bytes"
            raise ValueError(msg)
        key = key[:shared] + block[at : at + unshared]
        at += unshared + length
        yield key, block[at - length : at]


def _handle(data: bytes, at: int) -> tuple[int, int]:
    """Return the start and the size of a block."""
    start, at = _varint(data, at)
    return start, _varint(data, at)[0]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits per byte, and the position after it."""
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > _MAX_BITS:
            msg = "a number has more than 64 bits"
            raise ValueError(msg)
    return value | data[at] << shift, at + 1


def _fields(message: bytes) -> dict[int, list[Any]]:
    """Return the values of each field of a protocol buffer by its number: integers, or bytes."""
    fields: dict[int, list[Any]] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value: int | bytes
        if key & 7 == _VARINT:
            value, at = _varint(message, at)
        else:
            size, at = (4, at) if key & 7 == _FIXED32 else _varint(message, at)
            value, at = message[at : at + size], at + size
            if at > len(message) or key & 7 not in {_BYTES, _FIXED32}:
                msg = "a value is not a protocol buffer"
                raise ValueError(msg)
        fields.setdefault(key >> 3, []).append(value)
    return fields
