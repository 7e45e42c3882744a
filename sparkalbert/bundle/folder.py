"""The bundle folder: opened, checked and written as a whole.

A bundle is what sparkalbert runs: a graph, its weights, the vocabulary and the configuration, with a
manifest that names every file and its checksum. Nothing here reads weights or runs a graph.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from sparkalbert.bundle.manifest import MANIFEST_FILE, FileRecord, Manifest, sha256_of
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import BundleError, OutputError, problem_list

__all__ = [
    "CONFIG_FILE",
    "GRAPH_FILE",
    "MANIFEST_FILE",
    "SAVED_VOCABULARY_FILE",
    "TOKENIZER_CONFIG_FILE",
    "VOCABULARY_FILE",
    "WEIGHTS_FILE",
    "Bundle",
    "write_bundle",
    "write_folder",
]

CONFIG_FILE: Final = "config.json"
TOKENIZER_CONFIG_FILE: Final = "tokenizer_config.json"
VOCABULARY_FILE: Final = "spiece.model"
GRAPH_FILE: Final = "model.onnx"
WEIGHTS_FILE: Final = "model.onnx.data"
SAVED_VOCABULARY_FILE: Final = "albert_spp"
"""The vocabulary in a model folder that Spark NLP saved: what tells such a folder."""

_REQUIRED: Final = (VOCABULARY_FILE, GRAPH_FILE)


@dataclass(frozen=True)
class Bundle:
    """A bundle folder whose manifest has been read.

    Use :meth:`open`; it checks names and sizes. :meth:`verify` also checks every checksum.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle folder and check that every file is there with the right size.

        Raises
        ------
        BundleError
            When the folder is no bundle or is incomplete; every problem is listed.
        """
        folder = Path(path)
        bundle = cls(folder, Manifest.from_file(folder / MANIFEST_FILE))
        problems = [
            *(f"the manifest lists no {name}" for name in _REQUIRED if name not in bundle.manifest.files),
            *bundle._size_problems(),
        ]
        if problems:
            raise BundleError(problem_list(f"The bundle {folder}", problems))
        return bundle

    @staticmethod
    def is_bundle(path: str | Path) -> bool:
        """Whether `path` is a folder with a manifest."""
        return (Path(path) / MANIFEST_FILE).is_file()

    @cached_property
    def config(self) -> AlbertConfig:
        """The model's configuration; an imported foreign graph may have none (ConfigError)."""
        return AlbertConfig.from_file(self.path / CONFIG_FILE)

    @property
    def graph_path(self) -> Path:
        """Path of the ONNX graph; its weights lie beside it."""
        return self.path / GRAPH_FILE

    @property
    def digest(self) -> str:
        """The bundle's identity, see :attr:`sparkalbert.bundle.Manifest.digest`."""
        return self.manifest.digest

    def verify(self) -> Bundle:
        """Check the checksum of every file and return the bundle itself.

        Raises
        ------
        BundleError
            When a file is missing or differs; every problem is listed.
        """
        problems = self._size_problems() or [
            f"{name} has sha256 {found}, the manifest says {record.sha256}"
            for name, record in self.manifest.files.items()
            if (found := sha256_of(self.path / name)) != record.sha256
        ]
        if problems:
            raise BundleError(problem_list(f"The bundle {self.path}", problems))
        return self

    def _size_problems(self) -> list[str]:
        problems = []
        for name, record in self.manifest.files.items():
            try:
                size_bytes = (self.path / name).stat().st_size
            except OSError:
                problems.append(f"{name} is missing")
                continue
            if size_bytes != record.size_bytes:
                problems.append(f"{name} has {size_bytes} bytes, the manifest says {record.size_bytes}")
        return problems


@contextmanager
def write_bundle(target: str | Path, manifest: Manifest, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a bundle in a temporary folder beside `target` and move it into place when complete.

    Parameters
    ----------
    target
        The folder to appear. Its parents are made.
    manifest
        The manifest with empty ``files``: they are recorded from what was written.
    overwrite
        Whether an existing bundle at `target` may be replaced. Anything else there never is, nor a
        bundle folder that holds files of somebody else.

    Yields
    ------
    Path
        The temporary folder to write the files into. An exception removes it.

    Raises
    ------
    OutputError
        When `target` exists and may not be replaced, or its parent cannot be written.
    """
    with write_folder(target, ours=_is_bundle_alone, overwrite=overwrite) as work:
        yield work
        complete = replace(manifest, files=_file_records(work))
        (work / MANIFEST_FILE).write_text(complete.to_json(), encoding="utf-8")


@contextmanager
def write_folder(
    target: str | Path, *, ours: Callable[[Path], bool], overwrite: bool = False
) -> Iterator[Path]:
    """Write a folder beside `target` and move it into place when complete.

    Parameters
    ----------
    target
        The folder to appear. Its parents are made.
    ours
        Tells whether a folder holds what is written here and nothing else: only such a one is replaced.
    overwrite
        Whether it may be.

    Yields
    ------
    Path
        The temporary folder to write into. An exception removes it.

    Raises
    ------
    OutputError
        When `target` exists and may not be replaced, or its parent cannot be written.
    """
    folder = Path(os.path.realpath(target))
    _check_target(folder, ours, overwrite=overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        msg = f"{folder} cannot be written: {error}. Choose another folder."
        raise OutputError(msg) from error
    try:
        yield work
        work.chmod(0o755)
        _check_target(folder, ours, overwrite=overwrite)  # again: somebody else may have been faster
        _move_into_place(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _move_into_place(work: Path, folder: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    replaced = aside / "replaced"
    try:
        if folder.exists():
            folder.rename(replaced)
        work.rename(folder)
    except OSError as error:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        msg = f"{folder} cannot be written: {error}. Choose another folder."
        raise OutputError(msg) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_target(folder: Path, ours: Callable[[Path], bool], *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    advice = "remove it first, or choose another folder"
    if folder.is_dir() and ours(folder):
        if overwrite:
            return
        advice = "pass overwrite=True (on the command line --overwrite) to replace it"
    msg = f"{folder} exists already; {advice}."
    raise OutputError(msg)


def _is_bundle_alone(folder: Path) -> bool:
    """Whether a folder holds a bundle, whole or not, and nothing that a bundle does not."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        known = {MANIFEST_FILE, *manifest["files"]} if "format_version" in manifest else set()
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return known.issuperset(path.name for path in folder.iterdir())


def _file_records(folder: Path) -> Mapping[str, FileRecord]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: FileRecord(path.stat().st_size, sha256_of(path)) for path in files}
