"""Builds a graph that holds nothing but the matrix products of a model's layers.

It shows the benchmark what the CPU can do: a bundle whose graph multiplies as many rows by as many matrices of the
same shapes, and does nothing else. Neither attention nor anything between the products is computed, and the numbers
mean nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, TensorProto, helper

from sparkalbert.bundle import Bundle, Precision, write_bundle
from sparkalbert.bundle.folder import GRAPH_FILE, WEIGHTS_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.graph.build import IR_VERSION, OPSET, PRODUCER
from sparkalbert.convert.graph.nodes import Constants, Nodes
from sparkalbert.convert.weights.file import write_weights

__all__ = ["write_lone_product"]

_MAX_INTEGER: Final = 127


def write_lone_product(bundle: Bundle, target: str | Path) -> Bundle:
    """Write a bundle with the products of a model's shapes, and open it.

    The products are ``MatMul`` for fp32 and ``MatMulInteger`` of uint8 rows and int8 matrices for int8, one for each
    matrix of each layer. The graph takes ``input_ids``, of which only the number counts.

    Parameters
    ----------
    bundle
        A bundle of this package in fp32 or int8; its tokenizer is copied.
    target
        The bundle folder to write.

    Raises
    ------
    OutputError
        If `target` exists.
    """
    manifest = replace(
        bundle.manifest, name=f"{bundle.manifest.name}-product", num_layers=0, files={}, note="Products only."
    )
    with write_bundle(target, manifest) as folder:
        for name in bundle.manifest.files.keys() - {GRAPH_FILE, WEIGHTS_FILE}:
            shutil.copyfile(bundle.path / name, folder / name)
        weights = write_weights(folder, _matrices(bundle.config, manifest.precision))
        model = _graph(bundle.config, manifest.precision, weights)
        (folder / GRAPH_FILE).write_bytes(model.SerializeToString(deterministic=True))
    return Bundle.open(target)


def _matrices(config: AlbertConfig, precision: Precision) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield random matrices ``[in, out]`` of one layer."""
    hidden, wide = config.hidden_size, config.intermediate_size
    shapes = {
        "qkv": (hidden, 3 * hidden),
        "attention": (hidden, hidden),
        "ffn": (hidden, wide),
        "output": (wide, hidden),
    }
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        if precision == "int8":
            yield name, rng.integers(-_MAX_INTEGER, _MAX_INTEGER, shape, dtype=np.int8, endpoint=True)
        else:
            yield name, rng.standard_normal(shape, dtype=np.float32)


def _graph(config: AlbertConfig, precision: Precision, weights: list[TensorProto]) -> ModelProto:
    nodes = Nodes(Constants())
    constant = nodes.constants.add
    count = nodes.add("Reshape", nodes.add("Size", "input_ids"), constant([1], "int64"))
    rows = {
        width: _ones(nodes, nodes.add("Concat", count, constant([width], "int64"), axis=0), precision)
        for width in sorted({weight.dims[0] for weight in weights})
    }
    start = nodes.add("Cast", nodes.add("Reshape", "input_ids", constant([-1, 1], "int64")), to=TensorProto.FLOAT)
    body = _layer(nodes.constants, rows, precision, weights)
    # In a loop, because ONNX Runtime computes equal products of one graph only once.
    layers = constant(config.num_hidden_layers * config.inner_group_num, "int64")
    nodes.rename_output(nodes.add("Loop", layers, "", start, body=body), "last_hidden_state")
    graph = helper.make_graph(
        nodes.nodes,
        "lone_product",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "pieces"])],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["rows", 1])],
        [*nodes.constants.tensors.values(), *weights],
    )
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)], producer_name=PRODUCER
    )


def _ones(nodes: Nodes, shape: str, precision: Precision) -> str:
    kind = TensorProto.UINT8 if precision == "int8" else TensorProto.FLOAT
    return nodes.add("ConstantOfShape", shape, value=helper.make_tensor("one", kind, [1], [1]))


def _layer(constants: Constants, rows: dict[int, str], precision: Precision, weights: list[TensorProto]) -> GraphProto:
    """Return a loop body with the products of one layer, which reads one column of each so that none is left out."""
    nodes = Nodes(constants, scope="layer.")
    total = "layer.before"
    first, second = constants.add([0], "int64"), constants.add([1], "int64")
    for weight in weights:
        operator = "MatMulInteger" if precision == "int8" else "MatMul"
        product = nodes.add(operator, rows[weight.dims[0]], weight.name)
        column = nodes.add("Slice", product, first, second, second)
        total = nodes.add("Add", total, nodes.add("Cast", column, to=TensorProto.FLOAT))
    nodes.rename_output(total, "after")
    nodes.rename_output("layer.continue", "continues")
    state: list[str | int | None] = ["rows", 1]
    return helper.make_graph(
        nodes.nodes,
        "layer",
        [
            helper.make_tensor_value_info("layer.number", TensorProto.INT64, []),
            helper.make_tensor_value_info("layer.continue", TensorProto.BOOL, []),
            helper.make_tensor_value_info("layer.before", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("continues", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, state),
        ],
    )
