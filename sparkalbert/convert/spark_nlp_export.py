"""Exports a checkpoint to the folder that Spark NLP imports: ``model.onnx`` and ``assets/spiece.model``.

The graph is that of a bundle, with the layer weights fixed to the last layer and all weights inside the file,
where Spark NLP's loader expects them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sparkalbert.bundle import Precision
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE, TOKENIZER_CONFIG_FILE, VOCABULARY_FILE
from sparkalbert.bundle.manifest import check_precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.conversion import Report, weight_arrays
from sparkalbert.convert.graph.accelerator import build_accelerator_graph
from sparkalbert.convert.graph.build import PRODUCER, build_graph
from sparkalbert.convert.weights.names import graph_weights
from sparkalbert.errors import CheckpointError
from sparkalbert.storage.files import write_file
from sparkalbert.storage.folders import FolderKind, check_target, write_folder
from sparkalbert.storage.paths import with_home
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["export_spark_nlp"]

_ASSETS: Final = "assets"
_HEADER_BYTES: Final = 64
_ASSET_FILES: Final = frozenset({CONFIG_FILE, TOKENIZER_CONFIG_FILE, VOCABULARY_FILE})
_MAX_BYTES: Final = (1 << 31) - (16 << 20)
"""Protocol buffers are limited to 2 GiB, and the nodes need some kilobytes besides the weights."""

_BYTES_PER_NUMBER: Final = {"fp32": 4, "fp16": 2, "int8": 1}
"""For the matrices of a layer; in int8 the embedding tables stay float32."""


def export_spark_nlp(  # noqa: PLR0913 - all but two are keywords
    source: str | Path,
    target: str | Path,
    *,
    precision: Precision = "fp32",
    overwrite: bool = False,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    remove_space: bool | None = None,
    report: Report | None = None,
) -> Path:
    """Write a Hugging Face ALBERT in the layout that Spark NLP's ``AlbertEmbeddings.loadSavedModel`` reads.

    The graph takes int64 ``input_ids``, ``attention_mask`` and ``token_type_ids`` ``[batch, pieces]`` and
    returns float32 ``last_hidden_state`` ``[batch, pieces, hidden]``. ``token_type_ids`` is ignored,
    because Spark NLP never passes a second segment. The file has opset 18 and IR version 8, which ONNX Runtime
    1.15 and later read.

    Parameters
    ----------
    source
        As for :func:`sparkalbert.convert.convert_checkpoint`.
    target
        The folder to write. It appears complete or not at all.
    precision
        Number format of the weights. The vectors are float32 in any case.
    overwrite
        If true, a folder at `target` that this function wrote is replaced.
    do_lower_case, keep_accents, remove_space
        As for :func:`sparkalbert.convert.convert_checkpoint`; only sparkalbert reads them.
    report
        As for :func:`sparkalbert.convert.convert_checkpoint`.

    Returns
    -------
    Path
        The folder: ``model.onnx``, ``assets/spiece.model``, and in ``assets`` also ``config.json`` and
        ``tokenizer_config.json``, which sparkalbert reads when it imports the folder.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be converted, or its weights do not fit into one file.
    OutputError
        If `target` exists and must not be replaced, or cannot be written.
    ParamError
        If `precision` is unknown.
    """
    check_precision(precision)
    check_target(target, _EXPORT, overwrite=overwrite)
    given = PieceOptions(do_lower_case, keep_accents, remove_space)
    checkpoint = Checkpoint.open(source, given)
    tokenizer = checkpoint.tokenizer.check_vocabulary()
    if tokenizer.record.file != VOCABULARY_FILE:
        msg = (
            f"Spark NLP's AlbertEmbeddings reads SentencePiece vocabularies only, but that of {source} is "
            f"{tokenizer.record.source}. Convert it to a bundle."
        )
        raise CheckpointError(msg)
    _check_size(checkpoint.config, precision)
    checkpoint.check_values()
    with write_folder(target, _EXPORT, overwrite=overwrite) as folder:
        assets = folder / _ASSETS
        assets.mkdir()
        tokenizer.save(assets)
        text = json.dumps(checkpoint.config.to_dict(), indent=2, sort_keys=True)
        (assets / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
        with write_file(folder / GRAPH_FILE) as file:  # marks the folder as complete
            file.write_bytes(_graph(checkpoint, precision, report).SerializeToString(deterministic=True))
    return Path(with_home(os.fspath(target)))


def _check_size(config: AlbertConfig, precision: Precision) -> None:
    size_bytes = 0
    for weight in graph_weights(config):
        in_layer = weight.role == "matrix" and not weight.name.startswith("embeddings.")
        width = _BYTES_PER_NUMBER[precision if in_layer or precision == "fp16" else "fp32"]
        size_bytes += width * int(np.prod(weight.shape, dtype=np.int64))
    if size_bytes > _MAX_BYTES:
        msg = (
            f"Spark NLP's layout has all weights in one ONNX file of at most {_MAX_BYTES:,} bytes, but in "
            f"{precision} they take {size_bytes:,}. Choose a smaller precision, or convert to a bundle."
        )
        raise CheckpointError(msg)


def _graph(checkpoint: Checkpoint, precision: Precision, report: Report | None) -> ModelProto:
    weights = [numpy_helper.from_array(array, name) for name, array in weight_arrays(checkpoint, precision, report)]
    if precision == "fp16":
        model = build_accelerator_graph(checkpoint.config, weights, all_rows=True)
    else:
        model = build_graph(checkpoint.config, precision, weights)
    graph = model.graph
    last_layer = np.zeros(checkpoint.config.num_hidden_layers + 1, dtype=np.float32)
    last_layer[-1] = 1
    graph.initializer.append(numpy_helper.from_array(last_layer, "layer_weights"))
    inputs = [value for value in graph.input if value.name != "layer_weights"]
    del graph.input[:]
    graph.input.extend(inputs)
    ids = ["batch", "pieces"]
    graph.input.append(helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ids))
    graph.node.append(helper.make_node("Identity", ["hidden_state"], ["last_hidden_state"]))
    graph.output[0].name = "last_hidden_state"
    return model


def _holds_export_only(path: str) -> bool:
    """Return whether a folder holds what :func:`export_spark_nlp` writes, and no other file."""
    folder, assets = Path(path), Path(path) / _ASSETS
    if not assets.is_dir() or {item.name for item in folder.iterdir()} != {GRAPH_FILE, _ASSETS}:
        return False
    if not _ASSET_FILES.issuperset(item.name for item in assets.iterdir()):
        return False
    with (folder / GRAPH_FILE).open("rb") as file:
        # The producer is the second field of an ONNX file: another exporter's graph is not ours to replace.
        return PRODUCER.encode() in file.read(_HEADER_BYTES)


_EXPORT: Final = FolderKind(GRAPH_FILE, _holds_export_only)
