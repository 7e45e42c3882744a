"""Finds the tensors of a file that ``torch.save`` wrote, without torch: the zip format and the one before 1.6.

Both hold a pickle that describes the tensors, and the raw numbers of each storage. The pickle is read by
:mod:`.pickle_data`, so nothing in it is run.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from sparkalbert.convert.checkpoint.pickle_data import BoundedFile, Global, read_pickle
from sparkalbert.convert.checkpoint.stored import StoredTensor, check_inside
from sparkalbert.errors import CheckpointError

__all__ = ["torch_tensors"]

_STORAGES: Final[Mapping[str, tuple[str, int]]] = {
    "torch.FloatStorage": ("F32", 4),
    "torch.HalfStorage": ("F16", 2),
    "torch.BFloat16Storage": ("BF16", 2),
    "torch.DoubleStorage": ("F64", 8),
    "torch.LongStorage": ("I64", 8),
    "torch.IntStorage": ("I32", 4),
    "torch.ShortStorage": ("I16", 2),
    "torch.CharStorage": ("I8", 1),
    "torch.ByteStorage": ("U8", 1),
    "torch.BoolStorage": ("BOOL", 1),
}
"""Number format and bytes per number."""

_ZIP_MAGIC: Final = b"PK\x03\x04"
_LOCAL_HEADER_BYTES: Final = 30
_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL: Final = 1001
_LEGACY_START: Final = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_COUNT_BYTES: Final = 8
_MAX_PICKLE_BYTES: Final = 1 << 20
"""A pickle takes about 200 bytes for each tensor, so that of an ALBERT has some kilobytes."""

_MAX_ARCHIVE_READ_BYTES: Final = 8 << 20
"""Longest single read of a zip file's description, whose list of entries takes about 100 bytes for each tensor."""

_MAX_DICTIONARIES: Final = 100
_MAX_TENSORS: Final = 10_000
_MAX_NAME_LENGTH: Final = 512
_MAX_DIMENSIONS: Final = 8
_MAX_SHOWN: Final = 200
_MAX_SHOWN_KEYS: Final = 8
_NUM_WITHOUT_METADATA: Final = 2
"""``requires_grad`` and ``backward_hooks`` follow the strides of a tensor."""

_DAMAGED: Final = (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, ValueError, struct.error)
"""What reading a damaged file raises: a zip may claim entries that are longer than the file, or beyond any file."""

_TOO_LARGE: Final = 1 << 62


class _Storage(NamedTuple):
    key: str
    dtype: str
    width: int
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def torch_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by name; tensors in nested dictionaries have dotted names.

    Raises
    ------
    CheckpointError
        If the file is damaged, or its pickle needs more than tensors in dictionaries; the message names it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_LEGACY_START))
            file.seek(0)
            if start.startswith(_ZIP_MAGIC):
                return _zip_tensors(path, file)
            if start == _LEGACY_START:
                return _legacy_tensors(path, file)
    except CheckpointError as error:
        msg = f"{path.name} cannot be read: {error}"
        raise CheckpointError(msg) from error
    except _DAMAGED as error:
        msg = f"{path.name} is not a complete file of torch.save ({error}); download it again"
        raise CheckpointError(msg) from error
    msg = f"{path.name} is not a file of torch.save, neither of its zip format nor of the one before torch 1.6"
    raise CheckpointError(msg)


class _ShortReads:
    """A binary file that refuses to return implausibly many bytes at once, as zipfile would read a list of entries."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        is_long = not 0 <= size <= _MAX_ARCHIVE_READ_BYTES
        data = self._file.read(_MAX_ARCHIVE_READ_BYTES + 1 if is_long else size)
        if len(data) > _MAX_ARCHIVE_READ_BYTES:
            msg = "its list of entries is longer than that of any model"
            raise CheckpointError(msg)
        return data


def _zip_tensors(path: Path, file: IO[bytes]) -> dict[str, StoredTensor]:
    with zipfile.ZipFile(_ShortReads(file)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            msg = f"it holds {len(roots)} entries data.pkl, expected one"
            raise CheckpointError(msg)
        root = roots[0]
        if f"{root}byteorder" in entries:
            with archive.open(_plain(entries[f"{root}byteorder"])) as byte_order:
                is_little_endian = byte_order.read(_COUNT_BYTES) == b"little"
            if not is_little_endian:
                msg = "its numbers are big-endian; save it again on a little-endian machine"
                raise CheckpointError(msg)
        with archive.open(_plain(entries[f"{root}data.pkl"])) as pickled:
            tensors, _ = _described(BoundedFile(pickled, _MAX_PICKLE_BYTES))

    def position(storage: _Storage) -> tuple[int, int]:
        entry = entries.get(f"{root}data/{storage.key}")
        if entry is None:
            msg = f"the storage {storage.key} is missing"
            raise CheckpointError(msg)
        start_bytes = _data_offset(file, _plain(entry))
        return start_bytes, start_bytes + entry.file_size

    return _located(path, tensors, position)


def _plain(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Check that an entry is uncompressed, as torch writes it: a compressed entry may be a zip bomb."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
        msg = f"its entry {entry.filename} is compressed or encrypted, which torch.save never does"
        raise CheckpointError(msg)
    return entry


def _data_offset(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    if not header.startswith(_ZIP_MAGIC) or len(header) < _LOCAL_HEADER_BYTES:
        msg = f"its entry {entry.filename} is damaged"
        raise CheckpointError(msg)
    name_bytes, extra_bytes = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return entry.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes


def _legacy_tensors(path: Path, file: IO[bytes]) -> dict[str, StoredTensor]:
    bounded = BoundedFile(file, _MAX_PICKLE_BYTES)
    magic, protocol, system = (read_pickle(bounded, {}) for _ in range(3))
    is_little_endian = isinstance(system, dict) and system.get("little_endian") is True
    if (magic, protocol) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL) or not is_little_endian:
        msg = f"expected torch's protocol {_LEGACY_PROTOCOL} and little-endian numbers"
        raise CheckpointError(msg)
    tensors, storages = _described(bounded)
    keys = read_pickle(bounded, {})
    positions: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        # Its width is unknown, and so are the positions of all that follow.
        if not isinstance(key, str) or key not in storages:
            msg = f"the storage {str(key)[:200]!r} belongs to no tensor"
            raise CheckpointError(msg)
        count = int.from_bytes(file.read(_COUNT_BYTES), "little")
        start_bytes = file.tell()
        positions[key] = (start_bytes, start_bytes + count * storages[key].width)
        file.seek(min(positions[key][1], 1 << 62))

    def position(storage: _Storage) -> tuple[int, int]:
        if storage.key not in positions:
            msg = f"the storage {storage.key} is missing"
            raise CheckpointError(msg)
        return positions[storage.key]

    return _located(path, tensors, position)


def _described(file: BoundedFile) -> tuple[dict[str, _Tensor], dict[str, _Storage]]:
    """Return the tensors of the pickle at the position of a file, and every storage that it names."""
    storages: dict[str, _Storage] = {}

    def load_storage(identity: Any) -> _Storage:
        storage = _storage(identity)
        return storages.setdefault(storage.key, storage)

    value = read_pickle(file, _CALLS, frozenset(_STORAGES), load_storage)
    tensors: dict[str, _Tensor] = {}
    for name, tensor in _flattened(value, "", set()):
        tensors[name] = tensor
        if len(tensors) > _MAX_TENSORS:
            msg = f"it holds more than {_MAX_TENSORS:,} tensors; save the state_dict() of the model alone"
            raise CheckpointError(msg)
    if not tensors:
        msg = "it holds no dictionary of tensors"
        raise CheckpointError(msg)
    return tensors, storages


def _storage(identity: Any) -> _Storage:
    kind, storage_type, key, _, count, *view = identity
    if kind != "storage" or any(view) or not isinstance(key, str) or not isinstance(storage_type, Global):
        msg = f"it holds a {_shown(kind)} of an unknown kind"
        raise CheckpointError(msg)
    return _Storage(key, *_STORAGES[storage_type.name], _count(count))


def _shown(value: Any) -> str:
    """Return a short text for a value of a pickle; only its type if the text of what it contains could be long."""
    if isinstance(value, str):
        return repr(value[:_MAX_SHOWN])
    if isinstance(value, dict) and all(isinstance(key, str) and isinstance(value[key], bool) for key in value):
        return str({key[:_MAX_SHOWN]: value[key] for key in list(value)[:_MAX_SHOWN_KEYS]})
    return type(value).__name__


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> _Tensor:
    if any(more[_NUM_WITHOUT_METADATA:]):
        msg = (
            f"it describes a tensor with the metadata {_shown(more[_NUM_WITHOUT_METADATA])}, expected plain "
            "numbers; save it again after resolve_neg() and resolve_conj()"
        )
        raise CheckpointError(msg)
    if not isinstance(storage, _Storage) or not len(shape) == len(strides) <= _MAX_DIMENSIONS:
        msg = "it describes a tensor of an unknown kind"
        raise CheckpointError(msg)
    return _Tensor(storage, _count(offset), tuple(map(_count, shape)), tuple(map(_count, strides)))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    """Return a dictionary whose keys are of the types that a dictionary in the pickle may have."""
    return {key: value for key, value in pairs if isinstance(key, (str, int))}


_CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _TOO_LARGE:
        msg = "it describes a tensor whose size is not a number"
        raise CheckpointError(msg)
    return value


def _flattened(value: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, _Tensor]]:
    """Yield the tensors of a dictionary and of those inside it, such as ``state_dict`` of a training checkpoint."""
    if not isinstance(value, dict) or id(value) in seen:
        return
    if len(seen) >= _MAX_DICTIONARIES:
        msg = f"it holds more than {_MAX_DICTIONARIES} dictionaries; save the state_dict() of the model alone"
        raise CheckpointError(msg)
    seen.add(id(value))
    for key, item in value.items():
        if len(prefix) + len(str(key)) > _MAX_NAME_LENGTH:
            msg = f"it holds a name of more than {_MAX_NAME_LENGTH} characters, which no tensor of a model has"
            raise CheckpointError(msg)
        if isinstance(item, _Tensor):
            yield f"{prefix}{key}", item
        else:
            yield from _flattened(item, f"{prefix}{key}.", seen)


def _located(
    path: Path, tensors: Mapping[str, _Tensor], position: Callable[[_Storage], tuple[int, int]]
) -> dict[str, StoredTensor]:
    """Return where the tensors are; `position` returns where the bytes of a storage start and stop."""
    located = {}
    for name, tensor in tensors.items():
        start_bytes, stop_bytes = position(tensor.storage)
        stored = StoredTensor(
            path,
            start_bytes + tensor.storage.width * tensor.offset,
            tensor.storage.dtype,
            tensor.shape,
            None if tensor.strides == _strides(tensor.shape) else tensor.strides,
        )
        check_inside(
            stored, name, start_bytes, min(stop_bytes, start_bytes + tensor.storage.width * tensor.storage.size)
        )
        located[name] = stored
    return located


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a tensor whose numbers follow each other."""
    strides = [1]
    for size in shape[:0:-1]:
        strides.insert(0, strides[0] * size)
    return tuple(strides[: len(shape)])
