"""A model folder that Spark NLP saved, unpacked into the layout that it imports.

``AlbertEmbeddings.write().save()`` of Spark NLP writes ``metadata/`` (Params), ``albert_onnx`` (a zip with
the graph) and ``albert_spp`` (the vocabulary); with TensorFlow or OpenVINO, ``albert_tensorflow`` or
``albert_openvino`` in place of the graph (seen in 5.5.3). It knows files, nothing of graphs or Params.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from sparkalbert.bundle.folder import GRAPH_FILE, SAVED_VOCABULARY_FILE, VOCABULARY_FILE
from sparkalbert.errors import CheckpointError

__all__ = ["import_layout"]

_GRAPH: Final = "albert_onnx"
_OTHER_ENGINES: Final = {"albert_tensorflow": "TensorFlow", "albert_openvino": "OpenVINO"}


@contextmanager
def import_layout(folder: Path) -> Iterator[Path]:
    """Yield `folder`, or, where Spark NLP saved it, a temporary folder in Spark NLP's import layout.

    Raises
    ------
    CheckpointError
        When the saved model has no ONNX graph, or it cannot be unpacked.
    """
    if not (folder / SAVED_VOCABULARY_FILE).exists():
        yield folder
        return
    if not (folder / _GRAPH).is_file():
        raise CheckpointError(_no_graph(folder))
    with tempfile.TemporaryDirectory(prefix="sparkalbert-") as work:
        unpacked = Path(work)
        _unpack(folder / _GRAPH, unpacked)
        (unpacked / "assets").mkdir()
        shutil.copyfile(folder / SAVED_VOCABULARY_FILE, unpacked / "assets" / VOCABULARY_FILE)
        yield unpacked


def _unpack(path: Path, target: Path) -> None:
    """Unpack the graph as ``model.onnx``, and its weights, where they are apart, under their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {PurePosixPath(entry.filename).name: entry for entry in archive.infolist()}
            entries = {name: entry for name, entry in entries.items() if name and not entry.is_dir()}
            graphs = [name for name in entries if name.endswith(".onnx")]
            if len(graphs) != 1:
                msg = f"{path} holds {', '.join(entries) or 'nothing'}; expected one .onnx graph."
                raise CheckpointError(msg)
            for name, entry in entries.items():
                with (
                    archive.open(entry) as packed,
                    (target / (GRAPH_FILE if name in graphs else name)).open("wb") as file,
                ):
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        msg = f"{path} is not the zip that Spark NLP writes ({error}); copy the folder again."
        raise CheckpointError(msg) from error


def _no_graph(folder: Path) -> str:
    engines = [engine for name, engine in _OTHER_ENGINES.items() if (folder / name).exists()]
    found = f"a model for {engines[0]}" if engines else f"no {_GRAPH}"
    return (
        f"The Spark NLP model {folder} holds {found}; sparkalbert runs ONNX only. Name the Hugging Face "
        "checkpoint that it was made of (pretrained('albert_base_uncased') fetches it), or export that to "
        "ONNX and import the export."
    )
