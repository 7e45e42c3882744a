"""Graphs that scale integers by a whole batch: each sequence runs alone, so the promise holds for them, too."""

import logging
from dataclasses import replace

import numpy as np
import onnx
import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.convert import import_onnx
from sparkalbert.convert.unrolled import convert_unrolled
from sparkalbert.inference import BatchingOptions, Embedder, EmbedderOptions, LoadedModel, SessionOptions
from sparkalbert.models import find_model
from tests import tiny_bundle
from tests.convert.foreign.exports import refusal

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


def vectors(bundle: Bundle, texts, batching=None):
    options = EmbedderOptions(batching=batching or BatchingOptions())
    embedder = Embedder(LoadedModel.load(bundle, SessionOptions()), options)
    return embedder.vectors(embedder.encode_token_lists([text.split() for text in texts]))


def test_vectors_do_not_depend_on_the_batch(source, tmp_path):
    bundle = import_onnx(source, tmp_path / "out")
    assert not bundle.manifest.batch_invariant
    together = vectors(bundle, TEXTS, BatchingOptions(pieces_per_batch=1000, max_sequences=100))
    alone = np.concatenate([vectors(bundle, [text]) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    in_batches = Bundle(bundle.path, replace(bundle.manifest, batch_invariant=True))
    assert np.abs(vectors(in_batches, TEXTS) - alone).max() > 1e-3  # so the test can fail


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
