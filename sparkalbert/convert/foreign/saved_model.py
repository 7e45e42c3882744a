"""Unpacks a model folder that Spark NLP saved, into the layout of an ONNX export.

``AlbertEmbeddings.write().save()`` of Spark NLP writes ``metadata/`` (the Params), ``albert_onnx`` (a zip
file with the graph) and ``albert_spp`` (the vocabulary); with TensorFlow or OpenVINO, ``albert_tensorflow``
or ``albert_openvino`` takes the place of the graph (seen in 5.5.3).
"""

from __future__ import annotations

import json
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from sparkalbert.bundle.folder import GRAPH_FILE, TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.errors import CheckpointError, OutputError, SparkAlbertError, problem_list
from sparkalbert.storage.reading import copy_readable, wrap_unreadable
from sparkalbert.text.pieces.files import read_bounded

__all__ = ["is_saved_model", "unpacked_model"]

_GRAPH: Final = "albert_onnx"
_VOCABULARY: Final = "albert_spp"
_OTHER_ENGINES: Final = {"albert_tensorflow": "TensorFlow", "albert_openvino": "OpenVINO"}
_GRAPH_FOLDER: Final = "onnx"
_MAX_LISTED: Final = 20
_MAX_METADATA_BYTES: Final = 16 << 20

_MAX_RATIO: Final = 20
_MAX_BYTES_OF_ANY_RATIO: Final = 64 << 20
"""A zip file may unpack to 20 times its size, or to 64 MiB. Weights shrink to half their size at best; only small
graphs with few weights shrink more. A zip bomb unpacks to 1,000 times its size."""

_DAMAGED_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for a damaged or encrypted file, besides OSError."""


def is_saved_model(folder: Path) -> bool:
    """Return whether Spark NLP saved the model in a folder; raises OSError if the folder cannot be read."""
    return (folder / _VOCABULARY).exists()


@contextmanager
def unpacked_model(folder: Path) -> Iterator[Path]:
    """Yield `folder`, or, if Spark NLP saved it, a temporary folder with the same model as an ONNX export.

    Raises
    ------
    CheckpointError
        If the saved model has no ONNX graph, its zip file is damaged or unpacks to an implausible size, or a file
        cannot be read.
    OutputError
        If there is no room to unpack it.
    """
    with wrap_unreadable(folder):
        is_saved = is_saved_model(folder)
        if is_saved and not (folder / _GRAPH).is_file():
            raise CheckpointError(_no_graph(folder))
    if not is_saved:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="sparkalbert-") as temporary:
        export = Path(temporary)
        (export / _GRAPH_FOLDER).mkdir()
        _unpack(folder / _GRAPH, export / _GRAPH_FOLDER)
        copy_readable(folder / _VOCABULARY, export / VOCABULARY_FILE)
        if _is_case_sensitive(folder):
            options = {"do_lower_case": False, "keep_accents": True}
            (export / TOKENIZER_CONFIG_FILE).write_text(json.dumps(options), encoding="utf-8")
        yield export


def _is_case_sensitive(folder: Path) -> bool:
    """Return whether the model was saved with ``caseSensitive``, Spark NLP's only option of normalization."""
    part = next(iter(sorted(folder.glob("metadata/part-*"))), None)
    if part is None:
        return False
    try:
        value = json.loads(read_bounded(part, _MAX_METADATA_BYTES))["paramMap"].get("caseSensitive")
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        msg = f"{part} is not the metadata of a saved stage ({type(error).__name__}: {error}). Copy the folder again."
        raise CheckpointError(msg) from error
    return value is True


def _unpack(path: Path, target: Path) -> None:
    """Unpack the graph as ``model.onnx``, and data files under their own names."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            names = _target_names(path, entries)
            _check_size(path, sum(entry.file_size for entry in entries), target)
            for entry, name in zip(entries, names, strict=True):
                # zipfile never returns more bytes than the size that was checked.
                with archive.open(entry) as packed, (target / name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except SparkAlbertError:
        raise
    except (*_DAMAGED_ZIP, OSError) as error:
        msg = (
            f"{path} cannot be unpacked ({type(error).__name__}: {error}), expected a zip file as Spark NLP "
            "writes it. Copy the model again."
        )
        raise CheckpointError(msg) from error


def _target_names(path: Path, entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Return the file name for each entry. Entries must not leave the folder or overwrite each other."""
    names = [PurePosixPath(entry.filename).name for entry in entries]
    graphs = [name for name in names if name.endswith(".onnx")]
    targets = [GRAPH_FILE if name in graphs else name for name in names]
    problems = []
    if len(graphs) != 1:
        found = ", ".join(names[:_MAX_LISTED]) or "no file"
        problems.append(f"it holds {found}; expected exactly one .onnx graph")
    for entry, name in zip(entries, names, strict=True):
        if not name or ".." in PurePosixPath(entry.filename).parts or "\\" in entry.filename:
            problems.append(f"the entry {entry.filename!r} points outside the folder")
    seen: dict[str, zipfile.ZipInfo] = {}
    for entry, name in zip(entries, targets, strict=True):
        first = seen.setdefault(name.casefold(), entry)
        if first is not entry:
            problems.append(f"the entries {first.filename!r} and {entry.filename!r} would be the same file")
    if problems:
        raise CheckpointError(problem_list(str(path), problems[:_MAX_LISTED]))
    return targets


def _check_size(path: Path, size_bytes: int, target: Path) -> None:
    packed_bytes = path.stat().st_size
    if size_bytes > max(_MAX_BYTES_OF_ANY_RATIO, _MAX_RATIO * packed_bytes):
        msg = (
            f"{path} has {packed_bytes:,} bytes but would unpack to {size_bytes:,}, expected at most "
            f"{_MAX_RATIO} times as many. If you trust it, unzip it by hand and import that folder."
        )
        raise CheckpointError(msg)
    free_bytes = shutil.disk_usage(target).free
    if size_bytes > free_bytes:
        msg = (
            f"{path} unpacks to {size_bytes:,} bytes, but {tempfile.gettempdir()} has room for "
            f"{free_bytes:,}. Set the environment variable TMPDIR to a folder with more room."
        )
        raise OutputError(msg)


def _no_graph(folder: Path) -> str:
    engines = [engine for name, engine in _OTHER_ENGINES.items() if (folder / name).exists()]
    found = f"a model for {engines[0]}" if engines else f"no {_GRAPH}"
    return (
        f"The Spark NLP model {folder} holds {found}, but sparkalbert runs ONNX only. Pass the Hugging Face "
        "checkpoint that it was made from (pretrained('albert_base_uncased') downloads it), or export that "
        "checkpoint to ONNX and import the export."
    )
