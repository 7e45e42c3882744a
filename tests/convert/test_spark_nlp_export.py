"""Folders for Spark NLP, by their files and by our own runtime; the real one runs them in tests/peers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkalbert.convert import export_spark_nlp, import_onnx
from sparkalbert.convert.spark_nlp_export import _check_size
from sparkalbert.errors import CheckpointError, OutputError, ParamError
from sparkalbert.inference import BatchingOptions, EncoderSession
from sparkalbert.inference.engine import Engine, SpecialPieces
from sparkalbert.inference.session import _SLOWER_FUSIONS
from sparkalbert.text.encoding import EncodedSentence
from tests import tiny_bundle, tiny_checkpoint


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
@pytest.mark.parametrize(
    "shape", [{}, {"num_hidden_layers": 4, "num_hidden_groups": 2}], ids=["plain", "groups"]
)
def test_the_graph_is_as_spark_nlp_takes_it_and_gives_our_bits(tmp_path, precision, shape):
    folder = export_spark_nlp(tiny_bundle.checkpoint(**shape), tmp_path / "out", precision=precision)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["assets/config.json", "assets/spiece.model", "model.onnx"]
    model = onnx.load(str(folder / "model.onnx"))
    onnx.checker.check_model(model)
    assert model.ir_version <= 10
    assert next(entry.version for entry in model.opset_import if not entry.domain) <= 21
    session, as_ours = (
        onnxruntime.InferenceSession(str(folder / "model.onnx"), disabled_optimizers=disabled)
        for disabled in (None, _SLOWER_FUSIONS)
    )
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        (name, "tensor(int64)", ["batch", "pieces"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    (output,) = session.get_outputs()
    assert (output.name, output.type, output.shape) == (
        "last_hidden_state", "tensor(float)", ["batch", "pieces", 32],
    )  # fmt: skip
    ids = np.array([[2, 40, 50, 60, 3], [2, 70, 80, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (fused,), (found,) = session.run(None, feed), as_ours.run(None, feed)
    bundle = tiny_bundle.bundle(precision, **shape)
    last = np.eye(bundle.manifest.num_layers + 1, dtype=np.float32)[-1]
    expected = EncoderSession(bundle).run(ids, mask, last)
    np.testing.assert_array_equal(found[mask == 1], expected[mask == 1])
    # Spark NLP lets ONNX Runtime fuse what our sessions do not.
    np.testing.assert_allclose(
        fused[mask == 1], expected[mask == 1], rtol=0, atol=1e-3 if precision == "fp16" else 1e-5
    )


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path_factory.mktemp("export") / "folder")
    return EncoderSession(import_onnx(folder, folder.with_name("bundle")))


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    budget=st.integers(1, 400),
    seed=st.integers(0, 9),
)
def test_an_imported_graph_keeps_the_promise(session, lengths, budget, seed):
    """The same vector whatever the neighbours, through a graph that came back as a foreign one."""
    special, random = SpecialPieces(cls_id=2, sep_id=3, pad_id=0), np.random.default_rng(seed)
    places = [np.arange(length) for length in lengths]
    sentences = [
        EncodedSentence(random.integers(5, 300, len(place)), np.stack([place, place + 1], axis=1))
        for place in places
    ]
    together = Engine(session, special, batching=BatchingOptions(pieces_per_call=budget)).embed(sentences)
    alone = [Engine(session, special).embed([sentence]) for sentence in sentences]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    first, second = (
        export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / name) / "model.onnx" for name in ("a", "b")
    )
    assert first.read_bytes() == second.read_bytes()


def test_only_such_a_folder_is_replaced_and_only_when_told(tmp_path):
    checkpoint, target = tiny_bundle.checkpoint(), tmp_path / "out"
    export_spark_nlp(checkpoint, target)
    with pytest.raises(OutputError, match="pass overwrite=True"):
        export_spark_nlp(checkpoint, target)
    export_spark_nlp(checkpoint, target, precision="int8", overwrite=True)
    (target / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="remove it first"):
        export_spark_nlp(checkpoint, target, overwrite=True)
    assert (target / "letter.txt").read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ParamError, match="precision is 'fp64'"):
        export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "out", precision="fp64")
    with pytest.raises(CheckpointError, match="is missing"):
        export_spark_nlp(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_one_file_cannot_hold_are_refused():
    wide = tiny_checkpoint.tiny_config(
        hidden_size=8192, embedding_size=128, intermediate_size=32768, num_attention_heads=64
    )
    with pytest.raises(CheckpointError, match=r"take 3,.* bytes in fp32, .* one ONNX file, which holds 2,"):
        _check_size(wide, "fp32")
    _check_size(wide, "fp16")
    _check_size(wide, "int8")
