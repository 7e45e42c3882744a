"""Graphs that scale integers by a whole batch: each sequence runs alone, so the promise holds for them, too."""

import logging
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sparkalbert.bundle import Bundle
from sparkalbert.convert import import_onnx
from sparkalbert.convert.unrolled import convert_unrolled
from sparkalbert.models import find_model
from tests import tiny_bundle
from tests.convert.batches import ONE_BATCH, vectors
from tests.convert.foreign.exports import HIDDEN, load, refusal, write_export

TEXTS = ["The river was high.", "In 1999, the bridge was closed for the whole of the winter.", "Tea", "a, b, c!"]


@pytest.fixture
def source(tmp_path):
    """A folder with the graph that onnxruntime makes of a real ALBERT with standard operators."""
    from onnxruntime.quantization import quantize_dynamic

    folder = convert_unrolled(tiny_bundle.checkpoint(), tmp_path / "export").path
    (folder / "manifest.json").unlink()
    quantize_dynamic(folder / "model.onnx", folder / "quantized.onnx")
    (folder / "quantized.onnx").replace(folder / "model.onnx")
    (folder / "model.onnx.data").unlink()
    operators = {node.op_type for node in onnx.load(str(folder / "model.onnx")).graph.node}
    assert "DynamicQuantizeLinear" in operators
    return folder


def largest_difference(bundle):
    """Check that texts have the same vectors alone and together; return what a batch would change."""
    assert not bundle.manifest.batch_invariant
    alone = np.concatenate([vectors(bundle, [text]) for text in TEXTS])
    np.testing.assert_array_equal(vectors(bundle, TEXTS, ONE_BATCH), alone)
    in_batches = Bundle(bundle.path, replace(bundle.manifest, batch_invariant=True))
    return np.abs(vectors(in_batches, TEXTS, ONE_BATCH) - alone).max()


def test_vectors_do_not_depend_on_the_batch(source, tmp_path):
    assert largest_difference(import_onnx(source, tmp_path / "out")) > 1e-3


def changed_export(folder, *nodes, **weights):
    """Write a small export whose vectors, the rows of a table, are changed by nodes: the last returns the vectors."""
    model = load(write_export(folder))
    cast = next(node for node in model.graph.node if node.op_type == "Cast")
    assert list(cast.input) == ["rows"]
    cast.input[0] = nodes[-1].output[0]
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([kept[0], *nodes, *kept[1:]])
    model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in weights.items())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def test_products_in_blocks_of_integers_run_alone(tmp_path):
    product = helper.make_node(
        "MatMulNBits",
        ["rows", "matrix", "scales"],
        ["product"],
        domain="com.microsoft",
        K=HIDDEN,
        N=HIDDEN,
        bits=8,
        block_size=16,
        accuracy_level=4,
    )
    matrix = np.random.default_rng(0).integers(256, size=(HIDDEN, 1, 16), dtype=np.uint8)
    scales = np.full(HIDDEN, 0.01, dtype=np.float32)
    source = changed_export(tmp_path / "export", product, matrix=matrix, scales=scales)
    largest_difference(import_onnx(source, tmp_path / "out"))


def test_a_graph_that_only_a_run_shows_to_depend_on_the_batch_runs_alone(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    source = changed_export(
        tmp_path / "export",
        helper.make_node("ReduceSum", ["rows"], ["sum"]),  # of all sequences, with their padding
        helper.make_node("Mul", ["sum", "little"], ["shift"]),
        helper.make_node("Add", ["rows", "shift"], ["shifted"]),
        little=np.array(1e-5, dtype=np.float32),
    )
    with caplog.at_level(logging.WARNING, logger="sparkalbert"):
        bundle = find_model(source)
    assert 0 < largest_difference(bundle) < 1e-2
    assert "Each sequence runs alone instead, which costs" in caplog.text
    assert sorted(path.name for path in bundle.path.parent.iterdir()) == [bundle.path.name]  # nothing is left over


def test_a_graph_of_an_ordinary_export_runs_in_batches(tmp_path):
    source = convert_unrolled(tiny_bundle.checkpoint(), tmp_path / "export").path
    (source / "manifest.json").unlink()
    assert import_onnx(source, tmp_path / "out").manifest.batch_invariant


def test_a_warning_and_the_manifest_name_cost_and_mend(source, caplog):
    for _ in range(2):  # when it is converted, and when it is found in the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="sparkalbert"):
            bundle = find_model(source)
        assert "Each sequence runs alone instead, which costs" in caplog.text
        assert "Convert the checkpoint that it was exported from" in bundle.manifest.note


def test_swapped_inputs_are_found_in_spite_of_the_quantization(source):
    model = onnx.load(str(source / "model.onnx"))
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = {"attention_mask": "token_type_ids"}.get(name, name)
    model.graph.input[1].name = "token_type_ids"
    model.graph.input.append(onnx.helper.make_tensor_value_info("attention_mask", onnx.TensorProto.INT64, ["a", "b"]))
    onnx.save(model, str(source / "model.onnx"))
    assert "export change with masked padding" in refusal(source)
