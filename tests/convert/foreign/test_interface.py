"""Inputs and outputs of foreign graphs: which are found, renamed and refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparkalbert.convert import export_spark_nlp, import_onnx
from sparkalbert.inference.session import EncoderSession
from sparkalbert.text import PieceTokenizer
from tests import tiny_bundle, tiny_vocabulary
from tests.convert.foreign.exports import HIDDEN, LAST_LAYER, refusal, write_export

ROLES = ("input_ids", "attention_mask", "token_type_ids")


def write_real_export(folder: Path, names: dict[str, str], order: tuple[str, ...]) -> Path:
    """Write a real encoder, whose vectors depend on its mask, with other names and another order of inputs."""
    export_spark_nlp(tiny_bundle.checkpoint(), folder)
    path = str(folder / "model.onnx")
    model = onnx.load(path)
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
    inputs = {value.name: value for value in model.graph.input}
    del model.graph.input[:]
    for name in order:
        inputs[name].name = names[name]
        model.graph.input.append(inputs[name])
    onnx.save(model, path)
    return folder


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("a", "b", "c"), ROLES),
        (("a", "b"), ROLES[:2]),
        (("word", "mask", "type"), tuple(reversed(ROLES))),
    ],
    ids=str,
)
def test_inputs_with_other_names_are_identified(tmp_path, names, order):
    source = write_real_export(tmp_path / "export", dict(zip(ROLES, names, strict=False)), order)
    bundle = import_onnx(source, tmp_path / "out")
    ids = np.array([[2, 40, 50, 3], [2, 60, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    computed = EncoderSession(bundle).run(ids, mask, LAST_LAYER)
    expected = EncoderSession(tiny_bundle.bundle()).run(ids, mask, np.eye(4, dtype=np.float32)[-1])
    np.testing.assert_array_equal(computed[mask == 1], expected[mask == 1])


def test_unknown_names_in_the_wrong_order_are_refused(tmp_path):
    names = dict(zip(ROLES, "abc", strict=True))
    source = write_real_export(tmp_path / "export", names, ("input_ids", "token_type_ids", "attention_mask"))
    message = refusal(source)
    assert "export change with masked padding. Its inputs were taken in Hugging Face's order" in message
    assert "(a as input_ids, c as attention_mask, b as token_type_ids) and may be swapped" in message


@pytest.mark.parametrize(
    ("swapped", "shown"),
    [
        (("input_ids", "token_type_ids", "attention_mask"), "change with masked padding"),
        (("attention_mask", "input_ids", "token_type_ids"), "do not change with the ids"),
    ],
)
def test_names_that_lie_are_refused(tmp_path, swapped, shown):
    source = write_real_export(tmp_path / "export", dict(zip(ROLES, swapped, strict=True)), ROLES)
    assert f"export {shown}. Its inputs were taken by their names" in refusal(source)


@pytest.mark.parametrize("output", ["logits", "prediction_logits", "start_scores", "probabilities"])
def test_predictions_are_refused(tmp_path, output):
    message = refusal(write_export(tmp_path / "export", output=output, output_dims=("batch", "pieces", HIDDEN)))
    assert f"the output {output} holds the predictions of a task head, not embeddings" in message


def test_logits_beside_the_hidden_state_are_ignored(tmp_path):
    source = write_export(tmp_path / "export", output="anything")
    model = onnx.load(str(source / "model.onnx"))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "p", 300]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["rows"], ["logits"]))
    onnx.save(model, str(source / "model.onnx"))
    assert import_onnx(source, tmp_path / "out").manifest.dimension == HIDDEN


def test_an_output_as_wide_as_the_vocabulary_is_refused(tmp_path):
    dims = ("batch", "pieces", tiny_vocabulary.VOCABULARY_SIZE)
    message = refusal(write_export(tmp_path / "export", output="output_0", output_dims=dims))
    assert "the output output_0, as wide as the vocabulary (300), holds the predictions of a task head" in message


def test_unsupported_and_missing_inputs_are_listed_at_once(tmp_path):
    source = write_export(tmp_path / "export", inputs=("input_ids", "token_ids", "position_ids"))
    message = refusal(source)
    assert "has 3 problems:" in message
    assert "the graph has no input attention_mask; found input_ids, token_ids, position_ids" in message
    assert "the graph's input token_ids is not supported; expected input_ids, attention_mask" in message
    assert "the graph's input position_ids is not supported" in message


@pytest.mark.parametrize(
    ("inputs", "unsupported"),
    [
        (("a", "b", "c", "d"), "d"),
        (("input_ids", "attention_mask", "extra"), "extra"),
        (("ids", "a", "b"), "b"),
    ],
)
def test_an_unsupported_input_is_named(tmp_path, inputs, unsupported):
    message = refusal(write_export(tmp_path / "export", inputs=inputs))
    assert f"the graph's input {unsupported} is not supported" in message


def test_a_mask_is_required(tmp_path):
    message = refusal(write_export(tmp_path / "export", inputs=("anything",)))
    assert "the graph has no input attention_mask; found anything, expected input_ids" in message


def test_inputs_of_another_rank_are_refused(tmp_path):
    message = refusal(write_export(tmp_path / "export", dims=("batch", "pieces", "one")))
    assert "the input input_ids is INT64 [batch, pieces, one], expected [batch, pieces]" in message


def test_fixed_shapes_are_refused(tmp_path):
    message = refusal(write_export(tmp_path / "export", dims=("batch", 128)))
    assert "input_ids has the fixed shape INT64 [batch, 128]; export the model again with dynamic axes" in message


@pytest.mark.parametrize(("dtype", "shown"), [(TensorProto.FLOAT, "FLOAT"), (99, "of the unknown type 99")])
def test_inputs_of_another_type_are_refused(tmp_path, dtype, shown):
    source = write_export(tmp_path / "export", inputs=("input_ids", "attention_mask"))
    model = onnx.load(str(source / "model.onnx"))
    model.graph.input[1].type.tensor_type.elem_type = dtype
    onnx.save(model, str(source / "model.onnx"))
    assert f"the input attention_mask is {shown}, expected INT64 or INT32" in refusal(source)


def test_unsuitable_outputs_are_listed(tmp_path):
    source = write_export(tmp_path / "export", output="logits", output_dims=("rows", HIDDEN))
    message = refusal(source)
    assert "found the outputs pooler_output FLOAT [batch, 6], logits FLOAT [rows, 6]" in message
    assert "expected last_hidden_state, or exactly one float output of rank 3" in message
    named = write_export(tmp_path / "named", output_dims=("rows", HIDDEN))
    assert "last_hidden_state FLOAT [rows, 6]; expected" in refusal(named)
    integers = write_export(tmp_path / "integers", output_dtype=TensorProto.INT64)
    assert "last_hidden_state INT64 [batch, pieces, 6]; expected" in refusal(integers)


def test_an_output_of_unknown_width_requires_a_config(tmp_path):
    source = write_export(tmp_path / "export", output_dims=None)
    model = onnx.load(str(source / "model.onnx"))
    del model.graph.initializer[:]
    model.graph.node[0].op_type = "Unknown"
    onnx.save(model, str(source / "model.onnx"))
    message = refusal(source)
    assert "does not define the width of last_hidden_state (FLOAT of any shape); put the model's config.json" in message


def write_head(folder: Path, *, width: int, quantized: bool = False, output: str = "output_0") -> Path:
    """Write a real encoder without a configuration, followed by a linear layer with a bias."""
    export_spark_nlp(tiny_bundle.checkpoint(), folder)
    (folder / "assets" / "config.json").unlink(missing_ok=True)
    path = str(folder / "model.onnx")
    model = onnx.load(path)
    hidden = model.graph.output[0].name
    matrix = np.zeros((tiny_bundle.bundle().manifest.dimension, width), dtype=np.float32)
    model.graph.initializer.extend(
        [numpy_helper.from_array(matrix, "head"), numpy_helper.from_array(matrix[0], "bias")]
    )
    if quantized:
        model.graph.initializer.extend(
            [numpy_helper.from_array(matrix.astype(np.int8), "head_int8"), numpy_helper.from_array(matrix[0], "scale")]
        )
        steps = [
            ("DynamicQuantizeLinear", [hidden], ["rows", "rows_scale", "rows_zero"]),
            ("MatMulInteger", ["rows", "head_int8", "rows_zero"], ["integers"]),
            ("Cast", ["integers"], ["floats"]),
            ("Mul", ["floats", "rows_scale"], ["product"]),
        ]
    else:
        steps = [("MatMul", [hidden, "head"], ["product"])]
    steps.append(("Add", ["product", "bias"], [output]))
    for op_type, inputs, outputs in steps:
        keys = {"to": TensorProto.FLOAT} if op_type == "Cast" else {}
        model.graph.node.append(helper.make_node(op_type, inputs, outputs, **keys))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "pieces", width]))
    onnx.save(model, path)
    return folder


@pytest.mark.parametrize("quantized", [False, True])
def test_a_head_without_a_configuration_is_refused(tmp_path, quantized):
    message = refusal(write_head(tmp_path / "export", width=9, quantized=quantized))
    assert "the output output_0, which a linear layer returns, holds the predictions of a task head" in message


def test_a_width_of_the_embedding_table_is_that_of_predictions(tmp_path):
    """A vocabulary may have fewer pieces than the table has rows."""
    rows = tiny_bundle.bundle().config.vocab_size
    source = write_head(tmp_path / "export", width=rows)
    folder = source / "assets"
    model = tiny_vocabulary.model_bytes()
    assert PieceTokenizer(model).vocabulary_size == rows
    (folder / "spiece.model").write_bytes(fewer_pieces(model))
    assert f"the output output_0, as wide as the vocabulary ({rows}), holds the predictions" in refusal(source)


def fewer_pieces(model: bytes) -> bytes:
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    del proto.pieces[-1]
    return bytes(proto.SerializeToString())


def test_an_encoder_without_a_configuration_is_imported(tmp_path):
    export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "export")
    (tmp_path / "export" / "assets" / "config.json").unlink()
    path = str(tmp_path / "export" / "model.onnx")
    model = onnx.load(path)
    model.graph.output[0].name, hidden = "output_0", model.graph.output[0].name
    model.graph.node.append(helper.make_node("Identity", [hidden], ["output_0"]))
    onnx.save(model, path)
    assert import_onnx(tmp_path / "export", tmp_path / "out").manifest.dimension == 32
