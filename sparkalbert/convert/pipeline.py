"""Checkpoint in, bundle out: read, check, write the weights, write the graph, move into place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

import numpy.typing as npt

from sparkalbert.bundle import Bundle, Manifest, Precision, write_bundle
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE, TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.convert.checkpoint import Checkpoint
from sparkalbert.convert.graph import build_graph
from sparkalbert.convert.quantize import stored_arrays
from sparkalbert.convert.weight_names import graph_weights, to_graph
from sparkalbert.convert.weights_file import write_weights
from sparkalbert.errors import ParamError
from sparkalbert.text.tokenizer_files import vocabulary_path

__all__ = ["convert_checkpoint", "copy_tokenizer", "library_versions", "weight_arrays"]

_LIBRARIES: Final = ("sparkalbert", "numpy", "onnx", "safetensors")


def convert_checkpoint(  # noqa: PLR0913 - all but two are keywords of their own meaning
    source: str | Path,
    target: str | Path,
    *,
    precision: Precision = "fp32",
    name: str | None = None,
    revision: str | None = None,
    note: str = "",
    overwrite: bool = False,
) -> Bundle:
    """Convert a Hugging Face ALBERT folder into a bundle and open it.

    Needs neither torch nor transformers. Weights are read, converted and written one by one. The same
    checkpoint gives the same bytes.

    Parameters
    ----------
    source
        Folder with ``config.json``, ``model.safetensors``, ``spiece.model`` and, optionally,
        ``tokenizer_config.json``. A pooler and heads are ignored.
    target
        The bundle folder to appear; it appears whole or not at all.
    precision
        ``fp32``; ``int8`` (a quarter of the size, about three times the speed on CPUs with VNNI);
        ``fp16`` (half the size, for accelerators).
    name
        Name of the model; the source folder's name by default.
    revision
        Revision of the source, kept in the manifest.
    note
        What a user of the vectors must know, kept in the manifest.
    overwrite
        Whether a bundle at `target` may be replaced.

    Raises
    ------
    CheckpointError
        When the checkpoint cannot be converted; every problem is listed.
    OutputError
        When `target` exists and may not be replaced.
    ParamError
        When `precision` is unknown.
    """
    if precision not in get_args(Precision):
        msg = f"precision is {precision!r}, expected one of {', '.join(get_args(Precision))}."
        raise ParamError(msg)
    checkpoint = Checkpoint.open(source).check_values()
    folder_name = checkpoint.folder.resolve().name
    manifest = Manifest(
        name=name or folder_name,
        source=folder_name,
        revision=revision,
        precision=precision,
        dimension=checkpoint.config.hidden_size,
        max_pieces=checkpoint.config.max_position_embeddings,
        num_layers=checkpoint.config.num_hidden_layers,
        files={},
        versions=library_versions(),
        note=note,
    )
    with write_bundle(target, manifest, overwrite=overwrite) as folder:
        _write_files(checkpoint, precision, folder)
    return Bundle.open(target)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that write a bundle."""
    return {library: version(library) for library in _LIBRARIES}


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the vocabulary and its options from where ``PieceTokenizer`` finds them."""
    vocabulary = vocabulary_path(source)
    shutil.copyfile(vocabulary, folder / VOCABULARY_FILE)
    for place in (vocabulary.parent, source):
        if (place / TOKENIZER_CONFIG_FILE).is_file():
            shutil.copyfile(place / TOKENIZER_CONFIG_FILE, folder / TOKENIZER_CONFIG_FILE)
            return


def _write_files(checkpoint: Checkpoint, precision: Precision, folder: Path) -> None:
    copy_tokenizer(checkpoint.folder, folder)
    text = json.dumps(checkpoint.config.to_dict(), indent=2, sort_keys=True)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    located = write_weights(folder, weight_arrays(checkpoint, precision))
    model = build_graph(checkpoint.config, precision, located)
    (folder / GRAPH_FILE).write_bytes(model.SerializeToString(deterministic=True))


def weight_arrays(checkpoint: Checkpoint, precision: Precision) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield every weight of a bundle as it is stored, one after the other."""
    for weight in graph_weights(checkpoint.config):
        array = to_graph(weight, [checkpoint.tensor(name) for name in weight.sources])
        yield from stored_arrays(weight, array, precision, checkpoint.config.activation)
