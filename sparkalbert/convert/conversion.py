"""Converts a Hugging Face checkpoint into a bundle: checks it, writes the weights, then the graph."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from sparkalbert.bundle import Bundle, Manifest, Precision, write_bundle
from sparkalbert.bundle.folder import BUNDLE_KIND, CONFIG_FILE, GRAPH_FILE
from sparkalbert.bundle.manifest import check_precision
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.graph.accelerator import build_accelerator_graph
from sparkalbert.convert.graph.attention import MAX_INVARIANT_HEAD_SIZE
from sparkalbert.convert.graph.build import build_graph
from sparkalbert.convert.weights.file import write_weights
from sparkalbert.convert.weights.names import graph_weights, to_graph
from sparkalbert.convert.weights.quantize import halved, stored_arrays
from sparkalbert.storage.folders import check_target
from sparkalbert.storage.paths import with_home
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["Report", "convert_checkpoint", "copy_tokenizer", "library_versions", "weight_arrays"]

Report = Callable[[int, int], None]
"""Called with the work that is done so far and the total: values converted, or vectors computed by a verification."""

_LIBRARIES: Final = ("sparkalbert", "numpy", "onnx", "safetensors")
_WIDE_HEADS: Final = (
    f"Its attention heads are wider than {MAX_INVARIANT_HEAD_SIZE} numbers, so its vectors would change in their last "
    "bits with the other texts of a batch. Each sequence runs alone instead, which is slower for short texts."
)


def convert_checkpoint(  # noqa: PLR0913 - all but two are keywords
    source: str | Path,
    target: str | Path,
    *,
    precision: Precision = "fp32",
    name: str | None = None,
    origin: str | None = None,
    revision: str | None = None,
    note: str = "",
    overwrite: bool = False,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    remove_space: bool | None = None,
    halve: bool = False,
    report: Report | None = None,
) -> Bundle:
    """Convert a Hugging Face ALBERT folder into a bundle and open it.

    Needs neither torch nor transformers. Weights are converted one at a time. The same checkpoint gives the
    same bytes.

    Parameters
    ----------
    source
        Folder with ``config.json``, weights (``model.safetensors``, ``pytorch_model.bin``, ``tf_model.h5``, one file
        or shards, or a TensorFlow checkpoint; the first that exists is read), a vocabulary (``spiece.model``,
        ``tokenizer.json``, ``vocab.txt``) and the small files beside it. A pooler and heads are ignored.
    target
        The bundle folder to write. It appears complete or not at all.
    precision
        ``fp32``; ``int8`` (the layers in a quarter of the size, about three times as fast on CPUs with VNNI); or
        ``fp16`` (half the size, for GPUs).
    name
        Name of the model; by default the name of the source folder.
    origin
        Where the weights came from, for the manifest; by default the name of the source folder.
    revision
        Revision of the source, for the manifest.
    note
        A warning to users of the vectors, for the manifest.
    overwrite
        If true, an existing bundle at `target` is replaced.
    do_lower_case, keep_accents, remove_space
        Options of the tokenizer, for models whose files do not state them; None leaves them to the files.
    halve
        If true, float32 weights that float16 represents exactly are stored as float16. The vectors are the same,
        the file is half as large, but each process has its own float32 weights instead of mapping the file's.
    report
        Called after each weight with the number of values converted so far and their total.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be converted; the message lists every problem.
    ConfigError
        If no file states an option of the tokenizer, and the vocabulary contradicts the default.
    MissingDependencyError
        If the weights are in ``tf_model.h5`` and h5py is not installed.
    OutputError
        If `target` exists and must not be replaced, or cannot be written.
    ParamError
        If `precision` is unknown.
    """
    check_precision(precision)
    check_target(target, BUNDLE_KIND, overwrite=overwrite)
    given = PieceOptions(do_lower_case, keep_accents, remove_space)
    checkpoint = Checkpoint.open(source, given).check_values()
    tokenizer = checkpoint.tokenizer.check_vocabulary()
    # fp16 is for GPUs, where products depend on the size of a batch in any case.
    is_invariant = precision == "fp16" or checkpoint.config.head_size <= MAX_INVARIANT_HEAD_SIZE
    folder_name = checkpoint.folder.resolve().name
    manifest = Manifest(
        name=name or folder_name,
        source=origin or folder_name,
        revision=revision,
        precision=precision,
        dimension=checkpoint.config.hidden_size,
        max_pieces=checkpoint.config.max_position_embeddings,
        num_layers=checkpoint.config.num_hidden_layers,
        files={},
        versions=library_versions(),
        weights=checkpoint.weights,
        batch_invariant=is_invariant,
        note=note if is_invariant else f"{note} {_WIDE_HEADS}".lstrip(),
        tokenizer=tokenizer.record,
    )
    with write_bundle(target, manifest, overwrite=overwrite) as folder:
        tokenizer.save(folder)
        _write_files(checkpoint, precision, folder, report, halve=halve)
    return Bundle.open(with_home(os.fspath(target)))


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that write a bundle."""
    return {library: version(library) for library in _LIBRARIES}


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Write the tokenizer of `source` to another folder; options that nobody states must agree with the vocabulary."""
    PieceTokenizer.load(source, check_vocabulary=True).save(folder)


def weight_arrays(
    checkpoint: Checkpoint, precision: Precision, report: Report | None = None
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the name and the array of every weight of a bundle, in the order in which they are stored."""
    weights = list(graph_weights(checkpoint.config))
    total, done = sum(math.prod(weight.shape) for weight in weights), 0
    for weight in weights:
        array = to_graph(weight, [checkpoint.tensor(name) for name in weight.sources])
        yield from stored_arrays(weight, array, precision, checkpoint.config.activation)
        done += math.prod(weight.shape)
        if report is not None:
            report(done, total)


def _write_files(
    checkpoint: Checkpoint, precision: Precision, folder: Path, report: Report | None, *, halve: bool
) -> None:
    text = json.dumps(checkpoint.config.to_dict(), indent=2, sort_keys=True)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    arrays = weight_arrays(checkpoint, precision, report)
    initializers = write_weights(folder, starmap(halved, arrays) if halve else arrays)
    if precision == "fp16":
        model = build_accelerator_graph(checkpoint.config, initializers)
    else:
        model = build_graph(checkpoint.config, precision, initializers)
    (folder / GRAPH_FILE).write_bytes(model.SerializeToString(deterministic=True))
