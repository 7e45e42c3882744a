"""A bundle's weights, given back under the names a checkpoint has for them.

Verification runs the NumPy forward pass over them where no checkpoint is at hand. int8 matrices come
back as what their integers stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sparkalbert.bundle import Bundle
from sparkalbert.convert.forward import Tensors
from sparkalbert.convert.quantize import REST, SCALE, dequantize
from sparkalbert.convert.weight_names import GraphWeight, from_graph, graph_weights
from sparkalbert.convert.weights_file import read_tensor
from sparkalbert.errors import BundleError, problem_list

__all__ = ["bundle_tensors"]

Float32Array = npt.NDArray[np.float32]


def bundle_tensors(bundle: Bundle) -> Tensors:
    """Return a function from a checkpoint tensor's name to its values in the bundle, float32.

    Parameters
    ----------
    bundle
        A bundle made by :func:`sparkalbert.convert.convert_checkpoint`.

    Raises
    ------
    BundleError
        When the graph lacks weights that the configuration asks for; every one is listed.
    """
    model = onnx.load(str(bundle.graph_path), load_external_data=False)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = graph_weights(bundle.config)
    missing = [f"the graph has no weight {weight.name}" for weight in weights if weight.name not in stored]
    if missing:
        raise BundleError(problem_list(f"The bundle {bundle.path}", missing))
    owners = {source: weight for weight in weights for source in weight.sources}

    def tensor(name: str) -> Float32Array:
        weight = owners[name]
        return from_graph(weight, _values(bundle, stored, weight))[name]

    return tensor


def _values(bundle: Bundle, stored: Mapping[str, Any], weight: GraphWeight) -> Float32Array:
    values = _read(bundle, stored, weight.name)
    if weight.name + REST in stored:
        rest = _read(bundle, stored, weight.name + REST)
        values[:, -rest.shape[1] :] += rest
    return values


def _read(bundle: Bundle, stored: Mapping[str, Any], name: str) -> Float32Array:
    values = read_tensor(bundle.path, stored[name])
    if values.dtype == np.int8:
        return dequantize(values, read_tensor(bundle.path, stored[name + SCALE]))
    return values.astype(np.float32, copy=False)
