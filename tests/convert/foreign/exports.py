"""Small foreign ONNX exports."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparkalbert.convert import import_onnx
from sparkalbert.errors import CheckpointError
from tests import tiny_bundle

HIDDEN = 6
TABLE = np.random.default_rng(0).standard_normal((300, HIDDEN)).astype(np.float32)
LAST_LAYER = np.ones(1, dtype=np.float32)


def write_export(
    folder: Path,
    *,
    inputs=("input_ids", "attention_mask", "token_type_ids"),
    dims=("batch", "pieces"),
    dtype=TensorProto.INT64,
    output="last_hidden_state",
    output_dims=("batch", "pieces", HIDDEN),
    output_dtype=TensorProto.FLOAT,
    pooled=True,
    data_file=None,
    graph_file="model.onnx",
    vocabulary="assets/spiece.model",
) -> Path:
    """Write the outline of what torch.onnx makes of an encoder: integers in, last layer and pooled vector out."""
    nodes = [
        helper.make_node("Gather", ["table", inputs[0]], ["rows"]),
        helper.make_node("Cast", ["rows"], [output], to=output_dtype),
        helper.make_node("ReduceMean", ["rows", "axis"], ["pooler_output"], keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info(output, output_dtype, output_dims)]
    if pooled:
        outputs.insert(0, helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", HIDDEN]))
    graph = helper.make_graph(
        nodes,
        "export",
        [helper.make_tensor_value_info(name, dtype, dims) for name in inputs],
        outputs,
        [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    path = folder / graph_file
    path.parent.mkdir(parents=True, exist_ok=True)
    external = data_file is not None
    onnx.save(model, str(path), save_as_external_data=external, location=data_file, size_threshold=1000)
    if vocabulary:
        (folder / vocabulary).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tiny_bundle.checkpoint() / "spiece.model", folder / vocabulary)
    return folder


def load(folder: Path) -> onnx.ModelProto:
    return onnx.load(str(folder / "model.onnx"), load_external_data=False)


def refusal(source: Path) -> str:
    """Return the message with which an import is refused; nothing may be left behind."""
    target = source.with_name("target") / "bundle"
    with pytest.raises(CheckpointError) as caught:
        import_onnx(source, target)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    return str(caught.value)
