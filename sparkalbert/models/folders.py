"""Recognizes what a model folder holds, and makes its bundle: opened in place, or converted once into the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, Literal

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import Precision
from sparkalbert.convert.checkpoint.files import checkpoint_files, choose_weights, config_path
from sparkalbert.convert.foreign.saved_model import is_saved_model
from sparkalbert.errors import CheckpointError, MissingDependencyError, OutputError, ParamError
from sparkalbert.models.cache import KEY_DIGITS, cache_key, converted_once
from sparkalbert.storage.checksums import sha256_of
from sparkalbert.storage.file_state import FileState
from sparkalbert.storage.folders import LocalFileSystem
from sparkalbert.storage.reading import wrap_unreadable
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["CONVERSION", "ModelKind", "bundle_from_folder", "convert_folder", "folder_kind"]

CONVERSION: Final = "7"
"""Increment it when a conversion reads other files than before, or writes another graph, other vectors or another
manifest: the cache then misses, and the model is converted again."""

ModelKind = Literal["bundle", "checkpoint", "onnx"]
"""What a model folder holds: our own format, a Hugging Face checkpoint, or an ONNX export."""


def folder_kind(folder: Path) -> ModelKind | None:
    """Return what a model folder holds, None if it does not look like one.

    Raises
    ------
    CheckpointError
        If the folder cannot be read.
    """
    with wrap_unreadable(folder):
        if Bundle.is_bundle(folder):
            return "bundle"
        if choose_weights([path.name for path in folder.iterdir() if path.is_file()]):
            return "checkpoint"
        if is_saved_model(folder) or any(folder.glob("*.onnx")) or any(folder.glob("onnx/*.onnx")):
            return "onnx"
        return "checkpoint" if config_path(folder).is_file() else None


def bundle_from_folder(folder: Path, precision: Precision | None, given: PieceOptions) -> Bundle:
    """Return the bundle of a model folder, converted into the cache if it is not a bundle itself.

    Parameters
    ----------
    folder
        A folder that :func:`folder_kind` recognizes.
    precision
        Number format. If None, a bundle keeps its own, and a checkpoint is converted to ``fp32``.
    given
        Options of the tokenizer that the caller gives.

    Raises
    ------
    ParamError
        If the bundle has another precision or other options.
    BundleError, CheckpointError, ConfigError
        If the model is damaged, cannot be converted, or changes while it is converted.
    OutputError
        If the cache cannot be written.
    MissingDependencyError
        If converting requires a package that is not installed.
    """
    kind = folder_kind(folder)
    if kind is None or kind == "bundle":
        return _open_bundle(folder, precision, given)
    name, content = folder.resolve().name, _content_key(folder, kind)
    convert: Callable[[Path], Bundle]
    if kind == "onnx":
        key = cache_key(name, kind, content, given)
        convert = partial(_import_onnx, folder, given, name=name)
    else:
        chosen: Precision = precision or "fp32"
        key = cache_key(name, chosen, content, given)
        convert = partial(convert_folder, folder, given, precision=chosen, name=name)
    bundle = converted_once(key, partial(_convert_unchanged, convert, folder, kind, content))
    return _open_bundle(bundle.path, precision, given) if kind == "onnx" else bundle


def convert_folder(  # noqa: PLR0913 - keywords of convert_checkpoint
    source: Path,
    given: PieceOptions,
    target: Path,
    *,
    precision: Precision,
    name: str,
    origin: str | None = None,
    revision: str | None = None,
) -> Bundle:
    """Convert the checkpoint in a folder; for the parameters see :func:`sparkalbert.convert.convert_checkpoint`.

    Raises
    ------
    CheckpointError, ConfigError
        If it cannot be converted.
    OutputError
        If `target` cannot be written.
    MissingDependencyError
        If converting requires a package that is not installed.
    """
    with _wrap_missing_package("a checkpoint"):
        from sparkalbert.convert import convert_checkpoint
    return convert_checkpoint(
        source,
        target,
        precision=precision,
        name=name,
        origin=origin,
        revision=revision,
        do_lower_case=given.do_lower_case,
        keep_accents=given.keep_accents,
        remove_space=given.remove_space,
    )


def _open_bundle(folder: Path, precision: Precision | None, given: PieceOptions) -> Bundle:
    bundle = Bundle.open(folder)
    if precision is not None and bundle.manifest.precision != precision:
        msg = (
            f"precision is {precision!r}, but the bundle {folder} is {bundle.manifest.precision!r}. Leave "
            "precision out, or convert the checkpoint again."
        )
        raise ParamError(msg)
    if given.stated:
        _check_options(bundle, given)
    return bundle


def _check_options(bundle: Bundle, given: PieceOptions) -> None:
    from sparkalbert.text import PieceTokenizer  # imported here because it loads NumPy, which only this check needs

    options = asdict(PieceTokenizer.load(bundle.path).options)
    for name, value in given.stated.items():
        if options[name] != value:
            msg = (
                f"{name} is {value}, but the bundle {bundle.path} was converted with {name}={options[name]}. Leave "
                f"{name} out, or convert the checkpoint again."
            )
            raise ParamError(msg)


def _convert_unchanged(
    convert: Callable[[Path], Bundle], folder: Path, kind: ModelKind, content: str, target: Path
) -> Bundle:
    """Convert a model whose files have the key `content`, and publish the bundle only if they still have it.

    Raises
    ------
    CheckpointError
        If the files changed: the bundle may be that of other files than its key states.
    OutputError
        If the bundle cannot be written.
    """
    unchecked, files = target.with_name(f".{target.name}-unchecked"), LocalFileSystem()
    _remove(files, unchecked)  # that of a process that was killed
    convert(unchecked)
    try:
        _check_unchanged(folder, kind, content)
    except CheckpointError:
        _remove(files, unchecked)
        raise
    try:
        files.rename(str(unchecked), str(target))
    except OSError as error:
        msg = f"{target} cannot be written ({error.strerror or error})."
        raise OutputError(msg) from error
    return Bundle.open(target)


def _remove(files: LocalFileSystem, folder: Path) -> None:
    if files.exists(str(folder)):
        files.remove(str(folder))


def _check_unchanged(folder: Path, kind: ModelKind, content: str) -> None:
    if _content_key(folder, kind) != content:
        msg = f"The model {folder} changed while it was converted. Load it again when nothing writes to it."
        raise CheckpointError(msg)


def _import_onnx(source: Path, given: PieceOptions, target: Path, *, name: str) -> Bundle:
    with _wrap_missing_package("an ONNX export"):
        from sparkalbert.convert import import_onnx
    return import_onnx(source, target, name=name, **given.stated)


@contextmanager
def _wrap_missing_package(what: str) -> Iterator[None]:
    """Raise MissingDependencyError if a package of the converter is not installed; any other error passes unchanged."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sparkalbert":
            raise
        msg = (
            f"Converting {what} requires a package that is not installed ({error}): pip install "
            "'sparkalbert[convert]'. Or convert it on another machine and pass the bundle folder."
        )
        raise MissingDependencyError(msg) from error


def _content_key(folder: Path, kind: ModelKind) -> str:
    """Return a key that depends on the names and bytes of the files that a conversion reads.

    Raises
    ------
    CheckpointError
        If a file cannot be read.
    """
    digest = hashlib.sha256(CONVERSION.encode())
    with wrap_unreadable(folder):
        for path in _files(folder, kind):
            with wrap_unreadable(path):
                sha256 = _checksum(path, path.stat().st_ino, FileState.of(path))
            digest.update(f"{sha256} {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()[:KEY_DIGITS]


def _files(folder: Path, kind: ModelKind) -> list[Path]:
    """Return the files that a conversion reads, sorted; of an ONNX export, every file that is not hidden."""
    if kind == "checkpoint":
        return checkpoint_files(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


@lru_cache(maxsize=1024)
def _checksum(path: Path, inode: int, state: FileState) -> str:
    """Return the sha256 of a file, which is read again only if it has changed since."""
    del inode, state
    return sha256_of(path)
