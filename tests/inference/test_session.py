"""What a session makes of a graph, asked of ONNX Runtime itself."""

import gc
import weakref

import onnx
import onnxruntime
import pytest

from sparkalbert.inference.session import _SLOWER_FUSIONS, SessionOptions, _settings, shared_session
from tests import tiny_bundle


def operators(graph):
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from operators(attribute.g)


def optimized_operators(bundle, path, disabled):
    settings = _settings(SessionOptions())
    settings.optimized_model_filepath = str(path)
    providers = ["CPUExecutionProvider"]
    onnxruntime.InferenceSession(str(bundle.graph_path), settings, providers, disabled_optimizers=disabled)
    return list(operators(onnx.load(path, load_external_data=False).graph))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_layer_norms_stay_what_they_are(tmp_path, precision):
    found = optimized_operators(tiny_bundle.bundle(precision), tmp_path / "optimized.onnx", _SLOWER_FUSIONS)
    assert found.count("LayerNormalization") == 3
    assert "SkipLayerNormalization" not in found


def test_left_alone_they_would_be_fused_into_what_is_slower(tmp_path):
    found = optimized_operators(tiny_bundle.bundle(), tmp_path / "optimized.onnx", None)
    assert found.count("SkipLayerNormalization") == 2


def test_a_session_that_is_held_is_shared_and_others_are_let_go():
    bundle = tiny_bundle.bundle()
    held = shared_session(bundle, SessionOptions(threads=1))
    unheld = weakref.ref(shared_session(bundle, SessionOptions(threads=2)))
    for threads in (3, 4):
        shared_session(bundle, SessionOptions(threads=threads))
    assert shared_session(bundle, SessionOptions(threads=1)) is held
    gc.collect()
    assert unheld() is None
