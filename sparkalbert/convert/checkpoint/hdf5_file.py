"""Finds the tensors of an HDF5 file such as ``tf_model.h5``. Requires h5py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sparkalbert.convert.checkpoint.stored import StoredTensor, check_inside
from sparkalbert.errors import CheckpointError, MissingDependencyError

__all__ = ["hdf5_tensors"]

_DTYPES: Final[Mapping[str, str]] = {"<f8": "F64", "<f4": "F32", "<f2": "F16"}


def hdf5_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a file by their paths in it, such as ``albert/.../kernel:0``.

    h5py reads only the description of the file. Links, and data sets in other files, in chunks or compressed, are
    refused: Keras writes none.

    Raises
    ------
    CheckpointError
        If the file is damaged or refers to another file.
    MissingDependencyError
        If h5py is not installed.
    """
    h5py = _library(path)
    tensors: dict[str, StoredTensor] = {}
    links: list[str] = []

    def add_link(name: str, link: Any) -> None:
        if not isinstance(link, h5py.HardLink):
            links.append(name)

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name] = _located(path, name, item)

    try:
        with h5py.File(path, "r") as file:
            is_shifted = file.userblock_size > 0
            file.visititems_links(add_link)
            file.visititems(add)
    except CheckpointError:
        raise
    except Exception as error:  # what h5py raises for a damaged file depends on where the damage is
        msg = f"{path.name} is not a complete HDF5 file ({error}); download it again"
        raise CheckpointError(msg) from error
    if links or is_shifted:
        found = f"the link {links[0][:200]!r}" if links else "a user block"
        msg = f"{path.name} has {found}, which no weights of Keras have and which is not followed"
        raise CheckpointError(msg)
    return tensors


def _library(path: Path) -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        msg = (
            f"Reading {path.name} requires h5py: pip install 'sparkalbert[hdf5]'. Or save the model as safetensors "
            "with transformers 4: AlbertModel.from_pretrained(FOLDER, from_tf=True).save_pretrained(FOLDER)"
        )
        raise MissingDependencyError(msg) from error
    return h5py  # type: ignore[no-any-return]


def _located(path: Path, name: str, dataset: Any) -> StoredTensor:
    offset_bytes = None if dataset.is_virtual or dataset.external else dataset.id.get_offset()
    if offset_bytes is None:
        msg = f"{path.name} holds {name[:200]} in chunks, compressed or in another file, expected plain numbers"
        raise CheckpointError(msg)
    tensor = StoredTensor(path, offset_bytes, _DTYPES.get(dataset.dtype.str, dataset.dtype.str), dataset.shape)
    check_inside(tensor, name, 0, path.stat().st_size)
    return tensor
