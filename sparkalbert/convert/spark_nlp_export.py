"""Checkpoint in, folder out that the real Spark NLP imports: ``model.onnx`` and ``assets/spiece.model``.

The graph is that of a bundle, with its layers fixed to the last one and its weights inside the file, as
Spark NLP's loader wants them. It knows nothing about Spark NLP but that layout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, get_args

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sparkalbert.bundle import Precision
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE, write_folder
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint import Checkpoint
from sparkalbert.convert.graph import build_graph
from sparkalbert.convert.pipeline import copy_tokenizer, weight_arrays
from sparkalbert.convert.weight_names import graph_weights
from sparkalbert.errors import CheckpointError, ParamError

__all__ = ["export_spark_nlp"]

_ASSETS: Final = "assets"
_MOST_BYTES: Final = (1 << 31) - (16 << 20)
"""Protocol buffers end at 2 GiB; the nodes take some kilobytes beside the weights."""

_BYTES: Final = {"fp32": 4, "fp16": 2, "int8": 1}
"""Of a number of a layer's matrix; under int8 tables stay float32."""


def export_spark_nlp(
    source: str | Path, target: str | Path, *, precision: Precision = "fp32", overwrite: bool = False
) -> Path:
    """Write a Hugging Face ALBERT as Spark NLP's ``AlbertEmbeddings.loadSavedModel`` takes it.

    The graph takes int64 ``input_ids``, ``attention_mask`` and ``token_type_ids`` ``[batch, pieces]`` (the
    last is not read: Spark NLP never has a second segment) and gives float32 ``last_hidden_state``
    ``[batch, pieces, hidden]``. Opset 18 and IR version 8, which ONNX Runtime 1.15 and newer read.

    Parameters
    ----------
    source
        As for :func:`sparkalbert.convert.convert_checkpoint`.
    target
        The folder to appear; it appears whole or not at all.
    precision
        Number format of the weights. What the model gives is float32 in each.
    overwrite
        Whether such a folder at `target` may be replaced.

    Returns
    -------
    Path
        The folder: ``model.onnx``, ``assets/spiece.model``, and beside that ``config.json`` and
        ``tokenizer_config.json``, which sparkalbert reads when it imports the folder.

    Raises
    ------
    CheckpointError
        When the checkpoint cannot be converted, or its weights do not fit into one file.
    OutputError
        When `target` exists and may not be replaced.
    ParamError
        When `precision` is unknown.
    """
    if precision not in get_args(Precision):
        msg = f"precision is {precision!r}, expected one of {', '.join(get_args(Precision))}."
        raise ParamError(msg)
    checkpoint = Checkpoint.open(source)
    _check_size(checkpoint.config, precision)
    checkpoint.check_values()
    with write_folder(target, ours=_is_export_alone, overwrite=overwrite) as folder:
        assets = folder / _ASSETS
        assets.mkdir()
        copy_tokenizer(checkpoint.folder, assets)
        text = json.dumps(checkpoint.config.to_dict(), indent=2, sort_keys=True)
        (assets / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
        (folder / GRAPH_FILE).write_bytes(_graph(checkpoint, precision).SerializeToString(deterministic=True))
    return Path(target)


def _check_size(config: AlbertConfig, precision: Precision) -> None:
    size_bytes = 0
    for weight in graph_weights(config):
        in_layer = weight.role == "matrix" and not weight.name.startswith("embeddings.")
        width = _BYTES[precision] if in_layer or precision == "fp16" else _BYTES["fp32"]
        size_bytes += width * int(np.prod(weight.shape, dtype=np.int64))
    if size_bytes > _MOST_BYTES:
        msg = (
            f"The weights take {size_bytes:,} bytes in {precision}, but Spark NLP's layout has them in one "
            f"ONNX file, which holds {_MOST_BYTES:,}. Choose a smaller precision, or convert to a bundle."
        )
        raise CheckpointError(msg)


def _graph(checkpoint: Checkpoint, precision: Precision) -> ModelProto:
    weights = [numpy_helper.from_array(array, name) for name, array in weight_arrays(checkpoint, precision)]
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


def _is_export_alone(folder: Path) -> bool:
    """Whether a folder holds what this module writes, and nothing else."""
    found = {path.name for path in folder.iterdir()}
    return found == {GRAPH_FILE, _ASSETS} and (folder / _ASSETS).is_dir()
