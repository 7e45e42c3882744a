"""Writes weights in the formats of torch and TensorFlow, without either, so that tests can make files of any size."""

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

LEGACY_HEAD = b"".join(
    pickle.dumps(part, protocol=2)
    for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
)
DATA = "model.ckpt.data-00000-of-00001"

Tensors = Mapping[str, np.ndarray]


def pickled_tensor(name, *, key, shape, strides, offset=0, count=None, kind="FloatStorage") -> bytes:
    """Return the instructions that put one tensor into the dictionary on the stack, as torch writes them."""

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value):
        return b"\x8a\x08" + struct.pack("<q", value)

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    size = number(math.prod(shape) if count is None else count)
    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + size + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers(shape) + numbers(strides)
    return text(name) + tensor + b"\x89}tRs"


def write_torch(path: Path, tensors: Tensors) -> Path:
    """Write torch's zip format; each tensor is a float32 storage of its own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(tensors))
        for name, values in tensors.items():
            archive.writestr(f"archive/data/{name}", values.tobytes())
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy_torch(path: Path, tensors: Tensors) -> Path:
    """Write the format before torch 1.6."""
    with path.open("wb") as file:
        file.write(LEGACY_HEAD + _pickled(tensors) + pickle.dumps([*tensors], protocol=2))
        for values in tensors.values():
            file.write(struct.pack("<q", values.size) + values.tobytes())
    return path


def write_hdf5(path: Path, tensors: Tensors) -> Path:
    """Write data sets under Keras's names."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in tensors.items():
            file["albert/tf_albert_model/albert/" + name.replace(".", "/") + ":0"] = values
    return path


def write_tensorflow(folder: Path, tensors: Tensors) -> Path:
    """Write an index with one block, and its data file; return the index."""
    described, offset = {b"": _field(1, 1)}, 0
    with (folder / DATA).open("wb") as data:
        for name in sorted(tensors):
            values = tensors[name]
            shape = b"".join(_field(2, _field(1, size)) for size in values.shape)
            entry = _field(1, 1) + _field(2, shape) + _field(4, offset) + _field(5, values.nbytes)
            described[name.encode()] = entry
            offset += data.write(values.tobytes())
    return write_table(folder / "model.ckpt.index", described)


def write_table(path: Path, entries: Mapping[bytes, bytes], *, kind: bytes = b"\0") -> Path:
    """Write a table of LevelDB's format with one block."""

    def block(records: Mapping[bytes, bytes]) -> bytes:
        content = b"".join(
            b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in records.items()
        )
        return content + struct.pack("<II", 0, 1)

    data = block(entries) + kind + b"crc."
    top = block({b"z": varint(0) + varint(len(data) - 5)})
    handles = varint(0) + varint(0) + varint(len(data)) + varint(len(top))
    path.write_bytes(data + top + kind + b"crc." + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))
    return path


def varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


def _field(number: int, value: int | bytes) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def _pickled(tensors: Tensors) -> bytes:
    file = io.BytesIO()
    file.write(b"\x80\x02}")
    for name, values in tensors.items():
        strides = [stride // values.itemsize for stride in np.ascontiguousarray(values).strides]
        file.write(pickled_tensor(name, key=name, shape=values.shape, strides=strides))
    file.write(b".")
    return file.getvalue()
