"""Reads a bundle's weights back under the names of a checkpoint's tensors.

Verification without a checkpoint runs the NumPy forward pass over them. int8 matrices are returned as the
floats that their integers represent.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle import Bundle
from sparkalbert.convert.verify.forward import Tensors
from sparkalbert.convert.weights.file import read_tensor
from sparkalbert.convert.weights.names import GraphWeight, from_graph, graph_weights
from sparkalbert.convert.weights.quantize import HALF, RESIDUAL, SCALE, dequantize
from sparkalbert.errors import BundleError, problem_list

__all__ = ["bundle_tensors"]


def bundle_tensors(bundle: Bundle) -> Tensors:
    """Return a function from the name of a checkpoint tensor to its values in a bundle, float32.

    Parameters
    ----------
    bundle
        A bundle made by :func:`sparkalbert.convert.convert_checkpoint`.

    Raises
    ------
    BundleError
        If the graph cannot be read or lacks weights that the configuration requires; the message lists all of
        them.
    """
    stored = _initializers(bundle)
    weights = graph_weights(bundle.config)
    problems = []
    for weight in weights:
        tensor = stored.get(weight.name)
        if tensor is None:
            problems.append(f"the graph has no weight {weight.name}")
        elif tuple(tensor.dims) != weight.shape:
            problems.append(f"{weight.name} has shape {list(tensor.dims)}, expected {list(weight.shape)}")
        elif tensor.data_type == TensorProto.INT8 and weight.name + SCALE not in stored:
            problems.append(f"the int8 weight {weight.name} has no scales")
    if problems:
        raise BundleError(problem_list(f"The bundle {bundle.path}", problems))
    owners = {source: weight for weight in weights for source in weight.sources}

    def tensor_values(name: str) -> Float32Array:
        weight = owners[name]
        return from_graph(weight, _values(bundle, stored, weight))[name]

    return tensor_values


def _initializers(bundle: Bundle) -> dict[str, TensorProto]:
    try:
        model = onnx.load(str(bundle.graph_path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        msg = f"{bundle.graph_path} is not an ONNX graph ({error}). Convert the checkpoint again."
        raise BundleError(msg) from error
    return {tensor.name.removesuffix(HALF): tensor for tensor in model.graph.initializer}


def _values(bundle: Bundle, stored: Mapping[str, TensorProto], weight: GraphWeight) -> Float32Array:
    values = _read(bundle, stored, weight.name)
    if weight.name + RESIDUAL in stored:
        residual = _read(bundle, stored, weight.name + RESIDUAL)
        values[:, -residual.shape[1] :] += residual
    return values


def _read(bundle: Bundle, stored: Mapping[str, TensorProto], name: str) -> Float32Array:
    values = read_tensor(bundle.path, stored[name])
    if values.dtype == np.int8:
        return dequantize(values, read_tensor(bundle.path, stored[name + SCALE]))
    return values.astype(np.float32, copy=False)
