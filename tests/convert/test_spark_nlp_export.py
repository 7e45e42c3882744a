"""Exports for Spark NLP: their files, and their graphs in ONNX Runtime. Spark NLP itself runs them in tests/peers."""

from pathlib import Path

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
from sparkalbert.text.pieces.encoding import EncodedSentence
from tests import tiny_bundle, tiny_checkpoint


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
@pytest.mark.parametrize("shape", [{}, {"num_hidden_layers": 4, "num_hidden_groups": 2}], ids=["plain", "groups"])
def test_the_graph_has_spark_nlps_interface_and_our_bits(tmp_path, precision, shape):
    folder = export_spark_nlp(tiny_bundle.checkpoint(**shape), tmp_path / "out", precision=precision)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["assets/config.json", "assets/spiece.model", "assets/tokenizer_config.json", "model.onnx"]
    model = onnx.load(str(folder / "model.onnx"))
    onnx.checker.check_model(model)
    assert model.ir_version <= 10
    assert next(entry.version for entry in model.opset_import if not entry.domain) <= 21
    session, as_ours = (
        onnxruntime.InferenceSession(str(folder / "model.onnx"), disabled_optimizers=disabled)
        for disabled in (None, _SLOWER_FUSIONS)
    )
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        (name, "tensor(int64)", ["batch", "pieces"]) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    (output,) = session.get_outputs()
    assert (output.name, output.type, output.shape) == (
        "last_hidden_state", "tensor(float)", ["batch", "pieces", 32],
    )  # fmt: skip
    ids = np.array([[2, 40, 50, 60, 3], [2, 70, 80, 3, 0]])
    mask = (ids > 0).astype(np.int64)
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (fused,), (unfused,) = session.run(None, feed), as_ours.run(None, feed)
    bundle = tiny_bundle.bundle(precision, **shape)
    last = np.eye(bundle.manifest.num_layers + 1, dtype=np.float32)[-1]
    expected = EncoderSession(bundle).run(ids, mask, last)
    np.testing.assert_array_equal(unfused[mask == 1], expected[mask == 1])
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
def test_vectors_of_an_imported_graph_do_not_depend_on_the_batch(session, lengths, budget, seed):
    """Our own graph, imported again as a foreign one."""
    special, random = SpecialPieces(cls_id=2, sep_id=3, pad_id=0), np.random.default_rng(seed)
    positions = [np.arange(length) for length in lengths]
    sentences = [
        EncodedSentence(random.integers(5, 300, len(position)), np.stack([position, position + 1], axis=1))
        for position in positions
    ]
    together = Engine(session, special, batching=BatchingOptions(pieces_per_batch=budget)).embed(sentences)
    alone = [Engine(session, special).embed([sentence]) for sentence in sentences]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    first, second = (export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / name) / "model.onnx" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_an_export_is_replaced_only_on_request(tmp_path):
    checkpoint, target = tiny_bundle.checkpoint(), tmp_path / "out"
    export_spark_nlp(checkpoint, target)
    with pytest.raises(OutputError, match="Pass overwrite=True"):
        export_spark_nlp(checkpoint, target)
    before = (target / "model.onnx").stat().st_size
    export_spark_nlp(checkpoint, target, precision="int8", overwrite=True)
    assert (target / "model.onnx").stat().st_size < before


@pytest.mark.parametrize("name", ["letter.txt", "assets/letter.txt", "assets/folder/letter.txt"])
def test_a_folder_with_other_files_is_never_replaced(tmp_path, name):
    target = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "out")
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_text("mine")
    with pytest.raises(OutputError, match="Remove it first"):
        export_spark_nlp(tiny_bundle.checkpoint(), target, overwrite=True)
    assert (target / name).read_text() == "mine"


def test_an_export_of_another_program_is_never_replaced(tmp_path):
    target = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "out")
    model = onnx.load(str(target / "model.onnx"))
    model.producer_name = "pytorch"
    onnx.save(model, str(target / "model.onnx"))
    with pytest.raises(OutputError, match="Remove it first"):
        export_spark_nlp(tiny_bundle.checkpoint(), target, overwrite=True)
    assert onnx.load(str(target / "model.onnx")).producer_name == "pytorch"


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="Remove it first"):
        export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "out", overwrite=True)


def test_a_graph_that_is_cut_off_does_not_count_as_complete(tmp_path, monkeypatch):
    def cut_off(path, content):
        with path.open("wb") as file:
            file.write(content[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(OSError, match="No space left"):
        export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_nothing_behind(tmp_path):
    with pytest.raises(ParamError, match="precision is 'fp64'"):
        export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "out", precision="fp64")
    with pytest.raises(CheckpointError, match="is missing"):
        export_spark_nlp(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_one_file_cannot_hold_are_refused():
    wide = tiny_checkpoint.tiny_config(
        hidden_size=8192, embedding_size=128, intermediate_size=32768, num_attention_heads=64
    )
    with pytest.raises(CheckpointError, match=r"one ONNX file of at most 2,.* bytes, but in fp32 they take 3,"):
        _check_size(wide, "fp32")
    _check_size(wide, "fp16")
    _check_size(wide, "int8")
