import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparkalbert.convert import export_spark_nlp, import_onnx, verify_bundle
from sparkalbert.errors import CheckpointError, OutputError, VerificationError
from sparkalbert.inference.session import EncoderSession
from tests import tiny_bundle

HIDDEN = 6
TABLE = np.random.default_rng(0).standard_normal((300, HIDDEN)).astype(np.float32)
LAST = np.ones(1, dtype=np.float32)


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
    external=False,
    graph_file="model.onnx",
    vocabulary="assets/spiece.model",
) -> Path:
    """What torch.onnx makes of an encoder, in its outline: integers in, last layer and pooled vector out."""
    nodes = [
        helper.make_node("Gather", ["table", inputs[0]], ["rows"]),
        helper.make_node("Cast", ["rows"], [output], to=output_dtype),
        helper.make_node("ReduceMean", ["rows", "axis"], ["pooler_output"], keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info(output, output_dtype, output_dims)]
    if pooled:
        outputs.insert(
            0, helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", HIDDEN])
        )
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
    onnx.save(
        model, str(path), save_as_external_data=external, location="model.onnx_data", size_threshold=1000
    )
    if vocabulary:
        (folder / vocabulary).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tiny_bundle.checkpoint() / "spiece.model", folder / vocabulary)
    return folder


def refusal(source: Path, tmp_path: Path) -> str:
    target = tmp_path / "target" / "bundle"
    with pytest.raises(CheckpointError) as caught:
        import_onnx(source, target)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"graph_file": "onnx/model.onnx", "vocabulary": "spiece.model"},
        {"external": True},
        {"external": True, "graph_file": "onnx/model.onnx"},
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
    found = EncoderSession(bundle).run(ids, (ids > 0).astype(np.int64), LAST)
    np.testing.assert_array_equal(found, TABLE[ids])


def test_half_precision_output_comes_back_as_float32(tmp_path):
    source = write_export(tmp_path / "export", output_dtype=TensorProto.FLOAT16)
    ids = np.array([[4, 5, 200]])
    found = EncoderSession(import_onnx(source, tmp_path / "out")).run(ids, np.ones_like(ids), LAST)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, TABLE[ids].astype(np.float16).astype(np.float32))


def exported(folder: Path, names: dict[str, str], order: tuple[str, ...]) -> Path:
    """A real graph, that heeds its mask, with other names and another order of inputs."""
    export_spark_nlp(tiny_bundle.checkpoint(), folder)
    path = str(folder / "model.onnx")
    model = onnx.load(path)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    inputs = {value.name: value for value in model.graph.input}
    del model.graph.input[:]
    for name in order:
        inputs[name].name = names[name]
        model.graph.input.append(inputs[name])
    onnx.save(model, path)
    return folder


HUGGING_FACE = ("input_ids", "attention_mask", "token_type_ids")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("a", "b", "c"), HUGGING_FACE),
        (("a", "b"), HUGGING_FACE[:2]),
        (("word", "mask", "type"), tuple(reversed(HUGGING_FACE))),
    ],
    ids=str,
)
def test_inputs_of_other_names_are_told_apart(tmp_path, names, order):
    source = exported(tmp_path / "export", dict(zip(HUGGING_FACE, names, strict=False)), order)
    bundle = import_onnx(source, tmp_path / "out")
    ids = np.array([[2, 40, 50, 3], [2, 60, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    found = EncoderSession(bundle).run(ids, mask, LAST)
    last = np.array([0, 0, 0, 1], dtype=np.float32)
    expected = EncoderSession(tiny_bundle.bundle()).run(ids, mask, last)
    np.testing.assert_array_equal(found[mask == 1], expected[mask == 1])


def test_names_that_tell_nothing_in_a_wrong_order_are_refused(tmp_path):
    names = dict(zip(HUGGING_FACE, "abc", strict=True))
    source = exported(tmp_path / "export", names, ("input_ids", "token_type_ids", "attention_mask"))
    message = refusal(source, tmp_path)
    assert "in the order input_ids, attention_mask, token_type_ids padding changes its vectors" in message


def test_a_config_gives_name_width_and_length(tmp_path):
    source = write_export(tmp_path / "export", output_dims=("batch", "pieces", "width"))
    config = {"hidden_size": HIDDEN, "num_attention_heads": 2, "max_position_embeddings": 77}
    (source / "config.json").write_text(json.dumps(config))
    (source / "assets" / "tokenizer_config.json").write_text('{"keep_accents": true}')
    bundle = import_onnx(source, tmp_path / "out", name="mine")
    assert (bundle.manifest.name, bundle.manifest.max_pieces) == ("mine", 77)
    assert bundle.config.hidden_size == HIDDEN
    assert json.loads((bundle.path / "tokenizer_config.json").read_text()) == {"keep_accents": True}


def test_our_own_graph_without_its_mix_is_a_foreign_one_that_can_be_verified(tmp_path):
    """A graph with three inputs and one output, from a real checkpoint, in both promises: run and verify."""
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
    with pytest.raises(VerificationError, match="Give the checkpoint it was exported from"):
        verify_bundle(bundle)


def test_inputs_are_listed_expected_against_found(tmp_path):
    source = write_export(tmp_path / "export", inputs=("input_ids", "token_ids", "position_ids"))
    message = refusal(source, tmp_path)
    assert "has 3 problems:" in message
    assert "the graph has no input attention_mask; found input_ids, token_ids, position_ids" in message
    assert (
        "the graph takes token_ids, which nothing here can give; expected input_ids, attention_mask"
        in message
    )
    assert "the graph takes position_ids" in message


@pytest.mark.parametrize(
    ("inputs", "surplus"),
    [
        (("a", "b", "c", "d"), "d"),
        (("input_ids", "attention_mask", "extra"), "extra"),
        (("ids", "a", "b"), "b"),
    ],
)
def test_an_input_that_nothing_can_give_is_named(tmp_path, inputs, surplus):
    message = refusal(write_export(tmp_path / "export", inputs=inputs), tmp_path)
    assert f"the graph takes {surplus}, which nothing here can give" in message


def test_a_mask_is_needed(tmp_path):
    message = refusal(write_export(tmp_path / "export", inputs=("anything",)), tmp_path)
    assert "the graph has no input attention_mask; found anything, expected input_ids" in message


def test_inputs_of_another_rank_are_refused(tmp_path):
    message = refusal(write_export(tmp_path / "export", dims=("batch", "pieces", "one")), tmp_path)
    assert "the input input_ids is INT64 [batch, pieces, one], expected [batch, pieces]" in message


def test_fixed_shapes_and_wrong_types_are_refused(tmp_path):
    fixed = refusal(write_export(tmp_path / "fixed", dims=("batch", 128)), tmp_path)
    assert "input_ids has the fixed shape INT64 [batch, 128]; export it again with dynamic axes" in fixed
    source = write_export(tmp_path / "float", inputs=("input_ids", "attention_mask"))
    model = onnx.load(str(source / "model.onnx"))
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, str(source / "model.onnx"))
    assert "the input attention_mask is FLOAT, expected INT64 or INT32" in refusal(source, tmp_path)


def test_outputs_are_listed_expected_against_found(tmp_path):
    source = write_export(tmp_path / "export", output="logits", output_dims=("rows", HIDDEN))
    message = refusal(source, tmp_path)
    assert "found the outputs pooler_output FLOAT [batch, 6], logits FLOAT [rows, 6]" in message
    assert "expected last_hidden_state, or exactly one float output of rank 3" in message
    named = write_export(tmp_path / "named", output_dims=("rows", HIDDEN))
    assert "last_hidden_state FLOAT [rows, 6]; expected" in refusal(named, tmp_path)
    integers = write_export(tmp_path / "integers", output_dtype=TensorProto.INT64)
    assert "last_hidden_state INT64 [batch, pieces, 6]; expected" in refusal(integers, tmp_path)


def test_a_width_that_contradicts_the_config_is_refused(tmp_path):
    source = write_export(tmp_path / "export")
    (source / "config.json").write_text(json.dumps({"hidden_size": 8, "num_attention_heads": 2}))
    assert "last_hidden_state is 6 wide, config.json says hidden_size 8" in refusal(source, tmp_path)


def test_a_config_of_another_architecture_is_refused(tmp_path):
    source = write_export(tmp_path / "export")
    (source / "config.json").write_text(json.dumps({"model_type": "xlm-roberta"}))
    assert "model_type is 'xlm-roberta', expected 'albert'" in refusal(source, tmp_path)


def test_everything_missing_is_told_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    message = refusal(tmp_path / "empty", tmp_path)
    assert "has 2 problems:" in message
    assert "there is neither model.onnx nor onnx/model.onnx" in message
    assert "spiece.model" in message


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08" * 100])
def test_a_file_that_is_no_graph_is_refused(tmp_path, content):
    source = write_export(tmp_path / "export")
    (source / "model.onnx").write_bytes(content)
    refusal(source, tmp_path)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "manifest.json", "sub/weights", ""])
def test_weights_elsewhere_are_refused(tmp_path, location):
    source = write_export(tmp_path / "export", external=True)
    (tmp_path / "secret").write_bytes(bytes(TABLE.nbytes + 8))
    model = onnx.load(str(source / "model.onnx"), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (source / "model.onnx").write_bytes(model.SerializeToString())
    assert "must lie beside it under a name of its own" in refusal(source, tmp_path)


def test_missing_and_truncated_weights_are_refused(tmp_path):
    source = write_export(tmp_path / "export", external=True)
    (source / "model.onnx_data").write_bytes(b"")
    assert "ONNX Runtime cannot run the ONNX export export" in refusal(source, tmp_path)
    (source / "model.onnx_data").unlink()
    assert "the graph's weights file model.onnx_data is missing" in refusal(source, tmp_path)


def test_a_width_that_the_graph_does_not_keep_is_refused(tmp_path):
    source = write_export(tmp_path / "export", output_dims=("batch", "pieces", 7))
    assert "gives an array of shape [1, 4, 6] for ids of shape [1, 4], expected [1, 4, 7]" in refusal(
        source, tmp_path
    )


def test_an_existing_folder_stays(tmp_path):
    source = write_export(tmp_path / "export")
    import_onnx(source, tmp_path / "out")
    with pytest.raises(OutputError, match="overwrite=True"):
        import_onnx(source, tmp_path / "out")
    import_onnx(source, tmp_path / "out", overwrite=True)
