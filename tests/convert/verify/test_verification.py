import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from sparkalbert.bundle import Bundle, write_bundle
from sparkalbert.convert import convert_checkpoint, export_spark_nlp, import_onnx, verify_bundle
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.verify.bundle_weights import bundle_tensors
from sparkalbert.convert.weights.names import checkpoint_shapes
from sparkalbert.errors import BundleError, CheckpointError, VerificationError
from tests import tiny_bundle, tiny_checkpoint

GROUPS = {"num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 2, "hidden_act": "gelu"}


def altered(bundle: Bundle, target, name: str, change) -> Bundle:
    """Copy a bundle with one weight changed and a new manifest, so that checksums do not show it."""
    with write_bundle(target, replace(bundle.manifest, files={})) as folder:
        for file in bundle.manifest.files:
            shutil.copyfile(bundle.path / file, folder / file)
        model = onnx.load(str(bundle.graph_path), load_external_data=False)
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        position = {entry.key: entry.value for entry in tensor.external_data}
        values = np.memmap(
            folder / "model.onnx.data",
            dtype=onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type),
            offset=int(position["offset"]),
            shape=tuple(tensor.dims),
            mode="r+",
        )
        change(values)
        values.flush()
    return Bundle.open(target)


def test_fp32_is_within_rounding_of_its_own_weights_and_of_the_checkpoint():
    bundle = tiny_bundle.bundle(**GROUPS)
    for against in (None, tiny_bundle.checkpoint(**GROUPS)):
        result = verify_bundle(bundle, against=against)
        assert result.max_abs_error == max(result.layer_errors) <= 1e-5
        assert len(result.layer_errors) == len(result.relative_errors) == 6
        assert max(result.relative_errors) <= 1e-5
        assert result.worst_cosine <= result.mean_cosine <= 1 + 1e-12
        assert result.pieces == 28
    assert result.against == f"the checkpoint {tiny_bundle.checkpoint(**GROUPS).name}"


def with_outlier(folder):
    """Give one dimension of every vector the size that it has in some trained checkpoints."""
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.bias"][7] = 3000
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_the_bound_follows_the_size_of_the_vectors(tmp_path):
    source = with_outlier(tiny_checkpoint.write(tmp_path / "outlier"))
    result = verify_bundle(convert_checkpoint(source, tmp_path / "out"), against=source)
    assert result.max_abs_error > 1e-5
    assert max(result.relative_errors) <= 2e-6


def test_errors_are_relative_to_each_vector(tmp_path):
    """A wrong bias of 1 % of the other numbers must show beside an outlier that is 100 times as large."""
    source = with_outlier(tiny_checkpoint.write(tmp_path / "outlier"))
    bundle = convert_checkpoint(source, tmp_path / "out")

    def change(values):
        values[0] += 0.1

    wrong = altered(bundle, tmp_path / "wrong", "group_0.layer_0.ffn_output.norm.bias", change)
    with pytest.raises(VerificationError, match="hidden state 1 has a relative error of"):
        verify_bundle(wrong, against=source)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_rounded_weights_are_farther_from_the_checkpoint_than_from_themselves(precision):
    bundle = tiny_bundle.bundle(precision)
    own = verify_bundle(bundle)
    checkpoint = verify_bundle(bundle, against=tiny_bundle.checkpoint())
    assert checkpoint.mean_cosine < own.mean_cosine
    assert own.against == "its own weights"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_weights_of_a_bundle_are_read_back_by_name(precision):
    bundle = tiny_bundle.bundle(precision, **GROUPS)
    checkpoint = Checkpoint.open(tiny_bundle.checkpoint(**GROUPS))
    tensors = bundle_tensors(bundle)
    for name, shape in checkpoint_shapes(bundle.config).items():
        values = tensors(name)
        if name.startswith(("embeddings.position", "embeddings.token_type")):
            continue
        assert values.shape == shape
        step = {"fp32": 0.0, "fp16": 2e-3, "int8": 0.01}[precision]
        np.testing.assert_allclose(values, checkpoint.tensor(name), rtol=0, atol=step)


@pytest.mark.parametrize(
    "name",
    [
        "embeddings.pieces",
        "embeddings.positions",
        "embeddings.norm.bias",
        "group_0.layer_0.qkv.weight",
        "group_0.layer_0.attention.norm.weight",
        "group_0.layer_0.ffn.bias",
        "group_0.layer_0.ffn_output.weight",
    ],
)
def test_one_changed_weight_shows_against_the_checkpoint(tmp_path, name):
    def change(values):
        values[..., ::2] += 0.01  # the layer norm would cancel a shift of all values

    wrong = altered(tiny_bundle.bundle(), tmp_path / "wrong", name, change)
    with pytest.raises(VerificationError, match=r"hidden state \d has a relative error of .*, expected at most 1e-05"):
        verify_bundle(wrong, against=tiny_bundle.checkpoint())
    assert verify_bundle(wrong).max_abs_error <= 1e-5


def test_int8_of_another_checkpoint_falls_below_its_bound(tmp_path):
    other = tiny_checkpoint.write(tmp_path / "other", seed=1)
    with pytest.raises(VerificationError, match=r"mean cosine .* expected at least 0.97 in int8"):
        verify_bundle(tiny_bundle.bundle("int8"), against=other)


@pytest.mark.parametrize(
    ("precision", "shown"),
    [("fp32", "has a relative error of nan"), ("fp16", "hold NaN or infinity"), ("int8", "hold NaN or infinity")],
)
def test_nan_breaks_the_bound(tmp_path, precision, shown):
    def change(values):
        values[:] = np.nan

    wrong = altered(tiny_bundle.bundle(precision), tmp_path / "wrong", "group_0.layer_0.attention.bias", change)
    with pytest.raises(VerificationError, match=shown):
        verify_bundle(wrong, against=tiny_bundle.checkpoint())


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_nan_in_a_late_position_is_found(tmp_path, precision):
    """Only the embeddings of the longest sequence reach that position."""

    def change(values):
        values[300] = np.nan

    wrong = altered(tiny_bundle.bundle(precision), tmp_path / "wrong", "embeddings.positions", change)
    with pytest.raises(VerificationError, match=r"nan|NaN"):
        verify_bundle(wrong, against=tiny_bundle.checkpoint())


def test_an_imported_graph_has_only_its_last_layer(tmp_path):
    source = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "export")
    imported = import_onnx(source, tmp_path / "imported")
    assert len(verify_bundle(imported, against=tiny_bundle.checkpoint()).relative_errors) == 1
    other = tiny_checkpoint.write(tmp_path / "other", seed=1)
    with pytest.raises(
        VerificationError, match=r"\n  - the last layer has a relative error of .*, expected at most 1e-05"
    ):
        verify_bundle(imported, against=other)


def test_every_difference_to_a_checkpoint_of_another_shape_is_listed(tmp_path):
    other = tiny_checkpoint.write(tmp_path / "other", num_hidden_layers=2, hidden_act="relu")
    with pytest.raises(VerificationError) as caught:
        verify_bundle(tiny_bundle.bundle(), against=other)
    assert "num_hidden_layers is 3, but 2 in the checkpoint" in str(caught.value)
    assert "hidden_act is gelu_new, but relu in the checkpoint" in str(caught.value)


def test_a_damaged_bundle_is_refused_before_anything_runs(tmp_path):
    bundle = convert_checkpoint(tiny_bundle.checkpoint(), tmp_path / "out")
    content = bytearray((bundle.path / "model.onnx.data").read_bytes())
    content[100] ^= 1
    (bundle.path / "model.onnx.data").write_bytes(content)
    with pytest.raises(BundleError, match="sha256"):
        verify_bundle(bundle)


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not a folder"):
        verify_bundle(tiny_bundle.bundle(), against=tmp_path / "nowhere")


def rewritten(bundle: Bundle, target, change, **manifest) -> Bundle:
    """Copy a bundle with another graph and a manifest that fits."""
    with write_bundle(target, replace(bundle.manifest, files={}, **manifest)) as folder:
        for file in bundle.manifest.files:
            shutil.copyfile(bundle.path / file, folder / file)
        model = onnx.load(str(bundle.graph_path), load_external_data=False)
        (folder / "model.onnx").write_bytes(change(model))
    return Bundle.open(target)


def shifted_in_batches(model):
    """Let the graph add the number of sequences but one to every vector."""
    last = model.graph.node[-1]
    assert list(last.output) == ["hidden_state"]
    last.output[0] = "alone"
    make_node = onnx.helper.make_node
    model.graph.node.extend(
        [
            make_node("Shape", ["input_ids"], ["batch"], start=0, end=1),
            make_node("Cast", ["batch"], ["count"], to=onnx.TensorProto.FLOAT),
            make_node("Sub", ["count", "one"], ["others"]),
            make_node("Add", ["alone", "others"], ["hidden_state"]),
        ]
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(1, dtype=np.float32), "one"))
    return model.SerializeToString()


def test_a_graph_that_is_not_batch_invariant_is_verified_as_users_run_it(tmp_path):
    bundle = tiny_bundle.bundle()
    alone = rewritten(bundle, tmp_path / "alone", shifted_in_batches, batch_invariant=False)
    assert verify_bundle(alone) == verify_bundle(bundle)
    assert verify_bundle(alone, against=tiny_bundle.checkpoint()).max_abs_error <= 1e-5
    in_batches = rewritten(bundle, tmp_path / "in batches", shifted_in_batches)
    with pytest.raises(VerificationError, match="has a relative error of"):
        verify_bundle(in_batches)


def without_bias(model):
    kept = [tensor for tensor in model.graph.initializer if tensor.name != "embeddings.norm.bias"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model.SerializeToString()


def of_another_shape(model):
    next(tensor for tensor in model.graph.initializer if tensor.name == "embeddings.pieces").dims[0] = 7
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (without_bias, "the graph has no weight embeddings.norm.bias"),
        (of_another_shape, r"embeddings\.pieces has shape \[7, 16\], expected \[300, 16\]"),
        (lambda _: b"not a graph", "model.onnx is not an ONNX graph"),
    ],
    ids=["missing", "shape", "damaged"],
)
def test_a_graph_without_the_weights_of_its_configuration_is_refused(tmp_path, change, shown):
    wrong = rewritten(tiny_bundle.bundle(), tmp_path / "wrong", change)
    with pytest.raises(BundleError, match=shown):
        bundle_tensors(wrong)


def test_a_weights_file_that_is_too_short_is_refused(tmp_path):
    bundle = rewritten(tiny_bundle.bundle(), tmp_path / "wrong", lambda model: model.SerializeToString())
    (bundle.path / "model.onnx.data").write_bytes(b"")
    with pytest.raises(BundleError, match=r"does not hold the weight embeddings\.norm\.bias of shape \[16\]"):
        bundle_tensors(bundle)("embeddings.LayerNorm.bias")
