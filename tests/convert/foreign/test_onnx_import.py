"""Imports of foreign ONNX exports, from end to end."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from sparkalbert.convert import import_onnx, verify_bundle
from sparkalbert.errors import OutputError, VerificationError
from sparkalbert.inference.session import EncoderSession
from tests import tiny_bundle
from tests.convert.foreign.exports import HIDDEN, LAST_LAYER, TABLE, refusal, write_export


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"graph_file": "onnx/model.onnx", "vocabulary": "spiece.model"},
        {"data_file": "model.onnx_data"},
        {"data_file": "model.onnx_data", "graph_file": "onnx/model.onnx"},
        {"inputs": ("input_ids", "attention_mask"), "pooled": False, "output": "hidden"},
        {"dtype": TensorProto.INT32},
        {"output_dims": ("batch", "pieces", "width")},
        {"output": "any_name"},
        {"graph_file": "model_optimized.onnx"},
        {"inputs": ("input_word_ids", "input_mask", "segment_ids")},
        {"inputs": ("ids", "mask"), "pooled": False, "output": "hidden"},
        {"inputs": ("serving_default_input_ids:0", "serving_default_attention_mask:0")},
        {"inputs": ("input.1", "input.2", "input.3"), "dtype": TensorProto.INT32},
        {"output_dtype": TensorProto.DOUBLE},
        {"output_dims": None},
    ],
    ids=str,
)
def test_known_layouts_become_bundles_that_run(tmp_path, layout):
    source = write_export(tmp_path / "my-export", **layout)
    bundle = import_onnx(source, tmp_path / "out")
    manifest = bundle.verify().manifest
    assert (manifest.name, manifest.num_layers, manifest.dimension) == ("my-export", 0, HIDDEN)
    assert (manifest.precision, manifest.max_pieces) == ("fp32", 512)
    ids = np.array([[4, 5, 200], [7, 0, 0]])
    computed = EncoderSession(bundle).run(ids, (ids > 0).astype(np.int64), LAST_LAYER)
    np.testing.assert_array_equal(computed, TABLE[ids])


def test_half_precision_output_is_returned_as_float32(tmp_path):
    source = write_export(tmp_path / "export", output_dtype=TensorProto.FLOAT16)
    ids = np.array([[4, 5, 200]])
    computed = EncoderSession(import_onnx(source, tmp_path / "out")).run(ids, np.ones_like(ids), LAST_LAYER)
    assert computed.dtype == np.float32
    np.testing.assert_array_equal(computed, TABLE[ids].astype(np.float16).astype(np.float32))


def test_a_config_provides_width_and_length(tmp_path):
    source = write_export(tmp_path / "export", output_dims=("batch", "pieces", "width"))
    config = {"hidden_size": HIDDEN, "num_attention_heads": 2, "max_position_embeddings": 77}
    (source / "config.json").write_text(json.dumps(config))
    (source / "assets" / "tokenizer_config.json").write_text('{"keep_accents": true}')
    bundle = import_onnx(source, tmp_path / "out", name="mine")
    assert (bundle.manifest.name, bundle.manifest.max_pieces) == ("mine", 77)
    assert bundle.config.hidden_size == HIDDEN
    assert json.loads((bundle.path / "tokenizer_config.json").read_text())["keep_accents"] is True


def test_an_imported_graph_can_be_verified_against_its_checkpoint(tmp_path):
    """Our own graph without its layer weights, which is like a foreign one."""
    ours = tiny_bundle.bundle()
    source = tmp_path / "export"
    shutil.copytree(ours.path, source)
    model = onnx.load(str(source / "model.onnx"), load_external_data=False)
    last = numpy_helper.from_array(np.array([0, 0, 0, 1], dtype=np.float32), "layer_weights")
    model.graph.initializer.append(last)
    kept = [value for value in model.graph.input if value.name != "layer_weights"]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    onnx.save(model, str(source / "model.onnx"))
    bundle = import_onnx(source, tmp_path / "out")
    assert bundle.manifest.num_layers == 0
    result = verify_bundle(bundle, against=tiny_bundle.checkpoint())
    assert len(result.layer_errors) == 1
    assert result.max_abs_error <= 1e-5
    with pytest.raises(VerificationError, match="Pass the checkpoint that it was exported from"):
        verify_bundle(bundle)


def test_a_width_that_contradicts_the_config_is_refused(tmp_path):
    source = write_export(tmp_path / "export")
    (source / "config.json").write_text(json.dumps({"hidden_size": 8, "num_attention_heads": 2}))
    assert "last_hidden_state is 6 wide, but config.json has hidden_size 8" in refusal(source)


def test_a_config_of_another_architecture_is_refused(tmp_path):
    source = write_export(tmp_path / "export")
    (source / "config.json").write_text(json.dumps({"model_type": "xlm-roberta"}))
    assert "model_type is 'xlm-roberta', expected 'albert'" in refusal(source)


def test_missing_files_are_listed_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    message = refusal(tmp_path / "empty")
    assert "has 2 problems:" in message
    assert "expected model.onnx or onnx/model.onnx, or one .onnx file of another name, found none" in message
    assert "spiece.model" in message


def test_of_several_graphs_none_is_chosen(tmp_path):
    source = write_export(tmp_path / "export", graph_file="one.onnx")
    shutil.copyfile(source / "one.onnx", source / "two.onnx")
    assert "or one .onnx file of another name, found one.onnx, two.onnx" in refusal(source)


def test_a_wrongly_declared_width_is_refused(tmp_path):
    source = write_export(tmp_path / "export", output_dims=("batch", "pieces", 7))
    assert "returns an array of shape [1, 4, 6] for ids of shape [1, 4], expected [1, 4, 7]" in refusal(source)


def test_an_existing_folder_stays(tmp_path):
    source = write_export(tmp_path / "export")
    import_onnx(source, tmp_path / "out")
    with pytest.raises(OutputError, match="overwrite=True"):
        import_onnx(source, tmp_path / "out")
    import_onnx(source, tmp_path / "out", overwrite=True)
