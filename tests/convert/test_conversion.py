import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import sentencepiece
from safetensors.numpy import load_file, save_file

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.convert import convert_checkpoint, export_spark_nlp, import_onnx, verify_bundle
from sparkalbert.errors import CheckpointError, ConfigError, OutputError, ParamError
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces import tokenizer
from tests import tiny_bundle, tiny_checkpoint, tiny_vocabulary
from tests.convert.batches import ONE_BATCH, vectors
from tests.convert.checkpoint.weight_writers import write_hdf5, write_legacy_torch, write_tensorflow, write_torch
from tests.full_shapes import XLARGE
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES

MIB = 1 << 20
PRECISIONS = ("fp32", "fp16", "int8")


def files_of(bundle: Bundle) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(bundle.path.iterdir())}


def test_the_manifest_records_the_source(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "albert-tiny")
    bundle = convert_checkpoint(source, tmp_path / "out", revision="abc123", note="a test")
    manifest = bundle.manifest
    assert (manifest.name, manifest.source, manifest.revision) == ("albert-tiny", "albert-tiny", "abc123")
    assert (manifest.dimension, manifest.max_pieces, manifest.num_layers) == (32, 512, 3)
    assert (manifest.precision, manifest.note) == ("fp32", "a test")
    assert set(manifest.versions) == {"sparkalbert", "onnx", "numpy", "safetensors"}
    assert set(manifest.files) == {
        "config.json",
        "model.onnx",
        "model.onnx.data",
        "spiece.model",
        "tokenizer_config.json",
    }
    assert bundle.verify().config == tiny_checkpoint.tiny_config()
    assert convert_checkpoint(source, tmp_path / "named", name="mine").manifest.name == "mine"


@pytest.mark.parametrize("name", ["words with added tokens", "tokenizer.json"])
def test_a_checkpoint_without_a_sentencepiece_file_is_converted(tmp_path, name):
    source = tiny_checkpoint.write(tmp_path / "tiny", vocab_size=500)
    (source / "spiece.model").unlink()
    if name == "tokenizer.json":
        shutil.copyfile(FOLDER / "unigram5" / name, source / name)
    else:
        WORD_PIECES[name](source)
    bundle = convert_checkpoint(source, tmp_path / "out").verify()
    record = bundle.manifest.tokenizer
    assert (record.kind, record.file) == ("tokenizers", "tokenizer.json")
    assert record.source == ("tokenizer.json" if name == "tokenizer.json" else "vocab.txt")
    assert "spiece.model" not in bundle.manifest.files
    text = "The RIVER \\frac {x} naïve (the)"
    expected = PieceTokenizer.load(source).encode(text)
    assert PieceTokenizer.load(bundle.path).encode(text).ids.tolist() == expected.ids.tolist()
    (embedded,) = WordEmbedder.load(bundle.path).embed(["The river, naïve"])
    assert embedded.tokens == ["The", "river", ",", "naïve"]
    assert (np.abs(embedded.vectors).max(axis=1) > 0).all()
    with pytest.raises(CheckpointError, match=r"reads SentencePiece vocabularies only, but that of .* is"):
        export_spark_nlp(source, tmp_path / "export")


def test_an_added_token_without_a_row_is_refused(tmp_path):
    """The table of embeddings has 300 rows."""
    source = tiny_checkpoint.write(tmp_path / "tiny")
    (source / "added_tokens.json").write_text('{"\\\\frac": 300}')
    with pytest.raises(CheckpointError, match=r"spiece\.model has 301 pieces, but config\.json has vocab_size 300"):
        convert_checkpoint(source, tmp_path / "out")
    (source / "added_tokens.json").write_text('{"<pad>": 300, "[MASK]": 301}')  # neither comes out of a text
    convert_checkpoint(source, tmp_path / "out")


def test_rows_that_no_file_names_are_surplus(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny", vocab_size=320)
    assert PieceTokenizer.load(convert_checkpoint(source, tmp_path / "out").path).vocabulary_size == 300


def test_options_that_nobody_states_must_agree_with_the_vocabulary(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(2 * tiny_vocabulary.TEXT.title().splitlines()), model_writer=model, vocab_size=290,
        hard_vocab_limit=False, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]"],
        num_threads=1, minloglevel=3,
    )  # fmt: skip
    (source / "spiece.model").write_bytes(model.getvalue())
    with pytest.raises(ConfigError, match=r"No file states do_lower_case .* Pass do_lower_case=False"):
        convert_checkpoint(source, tmp_path / "out")
    bundle = convert_checkpoint(source, tmp_path / "out", do_lower_case=False)
    assert bundle.manifest.tokenizer.origins["do_lower_case"] == "given"
    assert not PieceTokenizer.load(bundle.path).options.do_lower_case


def test_a_bundle_has_the_checkpoints_tokenizer_options(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    (source / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    bundle = convert_checkpoint(source, tmp_path / "out")
    assert PieceTokenizer.load(bundle.path).options == PieceTokenizer.load(source).options
    assert not PieceTokenizer.load(bundle.path).options.do_lower_case


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_checkpoint_gives_the_same_bytes(tmp_path, precision):
    one = convert_checkpoint(tiny_checkpoint.write(tmp_path / "a" / "tiny"), tmp_path / "one", precision=precision)
    two = convert_checkpoint(
        tiny_checkpoint.write(tmp_path / "b" / "tiny", prefix="albert."),
        tmp_path / "two",
        precision=precision,
    )
    assert files_of(one) == files_of(two)
    assert not any(str(tmp_path).encode() in content for content in files_of(one).values())


@pytest.mark.parametrize("groups", [1, 2])
def test_halves_are_stored_as_such_and_give_the_same_vectors(tmp_path, groups):
    source = tiny_checkpoint.write(tmp_path / "tiny", num_hidden_groups=groups)
    tensors = {name: tensor.astype(np.float16) for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(tensors, source / "model.safetensors")
    plain = convert_checkpoint(source, tmp_path / "plain")
    halved = convert_checkpoint(source, tmp_path / "halved", halve=True)
    sizes = [bundle.manifest.files["model.onnx.data"].size_bytes for bundle in (plain, halved)]
    assert sizes[1] < 0.9 * sizes[0]
    assert verify_bundle(halved, against=source).max_abs_error <= 1e-5
    assert verify_bundle(halved).max_abs_error <= 1e-5
    vectors = [WordEmbedder(bundle).embed(["the cat sat on the mat"])[0].vectors for bundle in (plain, halved)]
    np.testing.assert_array_equal(*vectors)


def test_halves_of_a_bundle_for_gpus_give_the_same_vectors(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    tensors = {name: tensor.astype(np.float16) for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(tensors, source / "model.safetensors")
    plain = convert_checkpoint(source, tmp_path / "plain", precision="fp16")
    halved = convert_checkpoint(source, tmp_path / "halved", precision="fp16", halve=True)
    weights = onnx.load(str(halved.graph_path), load_external_data=False).graph.initializer
    assert "embeddings.projection.weight.half" in {weight.name for weight in weights}
    vectors = [WordEmbedder(bundle).embed(["the cat sat on the mat"])[0].vectors for bundle in (plain, halved)]
    np.testing.assert_array_equal(*vectors)
    assert verify_bundle(halved, against=source).mean_cosine > 0.999


@pytest.mark.parametrize("write", [convert_checkpoint, export_spark_nlp])
def test_progress_counts_every_number(tmp_path, write):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    reports = []
    write(source, tmp_path / "out", report=lambda *report: reports.append(report))
    counts, totals = zip(*reports, strict=True)
    assert sorted(set(counts)) == list(counts), "it grows with each weight"
    assert set(totals) == {counts[-1]}, "and ends with all of them"
    table = load_file(source / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert counts[0] == table.size


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, precision, monkeypatch):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    for builder in ("build_graph", "build_accelerator_graph"):
        monkeypatch.setattr(f"sparkalbert.convert.conversion.{builder}", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        convert_checkpoint(source, tmp_path / "out" / "bundle", precision=precision)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_refused_checkpoint_leaves_nothing_behind(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    tensors = load_file(source / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"][0] = np.nan
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(CheckpointError, match="it holds NaN or infinity"):
        convert_checkpoint(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_number_too_large_for_float16_leaves_nothing_behind(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    tensors = load_file(source / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][0, 0] = 1e6
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(CheckpointError, match="precision fp32 or int8"):
        convert_checkpoint(source, tmp_path / "out" / "bundle", precision="fp16")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_existing_bundle_is_replaced_only_on_request(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")
    convert_checkpoint(source, tmp_path / "out")
    with pytest.raises(OutputError, match="overwrite=True"):
        convert_checkpoint(source, tmp_path / "out", precision="int8")
    replaced = convert_checkpoint(source, tmp_path / "out", precision="int8", overwrite=True)
    assert replaced.manifest.precision == "int8"


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(ParamError, match="precision is 'int4', expected one of fp32, fp16, int8"):
        convert_checkpoint(tmp_path, tmp_path / "out", precision="int4")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "shape",
    [
        {"hidden_act": "gelu"},
        {"hidden_act": "gelu_python"},
        {"hidden_act": "relu"},
        {"hidden_act": "gelu_pytorch_tanh"},
        {"num_attention_heads": 1},
        {"num_attention_heads": 16, "hidden_size": 48},
        {"num_hidden_layers": 5, "num_hidden_groups": 2},
        {"inner_group_num": 3},
        {"num_hidden_layers": 4, "num_hidden_groups": 4, "inner_group_num": 2},
        {"embedding_size": 17},
        {"embedding_size": 64, "intermediate_size": 30},
        {"layer_norm_eps": 1e-5, "num_hidden_layers": 1},
        {"max_position_embeddings": 8, "type_vocab_size": 1},
    ],
    ids=str,
)
def test_every_kind_of_shape_is_converted(tmp_path, shape, precision):
    source = tiny_checkpoint.write(tmp_path / "tiny", seed=9, **shape)
    bundle = convert_checkpoint(source, tmp_path / "out", precision=precision)
    result = verify_bundle(bundle, against=source)
    bound = {"fp32": 0.999999, "fp16": 0.99999, "int8": 0.998}[precision]
    assert result.mean_cosine > bound
    assert len(result.layer_errors) == bundle.manifest.num_layers + 1


WIDE_HEADS = {"hidden_size": 256, "num_attention_heads": 1}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_with_wide_heads_a_text_has_the_same_vectors_beside_a_long_one(precision):
    """From 65 pieces on, ONNX Runtime adds up the products of queries and keys in shorter blocks."""
    bundle = tiny_bundle.bundle(precision, **WIDE_HEADS)
    assert not bundle.manifest.batch_invariant
    texts = ["The river was high in the spring.", " ".join(["the bridge was closed"] * 20)]
    alone = vectors(bundle, texts[:1])
    np.testing.assert_array_equal(vectors(bundle, texts, ONE_BATCH)[: len(alone)], alone)
    in_batches = Bundle(bundle.path, replace(bundle.manifest, batch_invariant=True))
    assert (vectors(in_batches, texts, ONE_BATCH)[: len(alone)] != alone).any()  # so the test can fail


def test_wide_heads_are_noted_for_cpus(tmp_path):
    wide = convert_checkpoint(tiny_bundle.checkpoint(**WIDE_HEADS), tmp_path / "wide", note="A test.")
    assert wide.manifest.note.startswith("A test. Its attention heads are wider than 128 numbers, so its vectors would")
    widest = {"hidden_size": 128, "num_attention_heads": 1}
    for bundle in (tiny_bundle.bundle("fp16", **WIDE_HEADS), tiny_bundle.bundle(**widest)):
        assert bundle.manifest.batch_invariant
        assert not bundle.manifest.note


@pytest.mark.parametrize("write", [convert_checkpoint, export_spark_nlp, import_onnx])
def test_the_tokenizer_is_loaded_once(tmp_path, write, monkeypatch):
    """A file of 16 MB takes seconds."""
    source = tiny_checkpoint.write(tmp_path / "tiny")
    if write is import_onnx:
        source = export_spark_nlp(source, tmp_path / "export")
    load_encoder, loads = tokenizer.load_encoder, []

    def counted(*arguments, **options):
        loads.append(arguments)
        return load_encoder(*arguments, **options)

    monkeypatch.setattr(tokenizer, "load_encoder", counted)
    write(source, tmp_path / "out")
    assert len(loads) == 1


def test_a_checkpoint_that_changes_while_it_is_converted_leaves_nothing_behind(tmp_path):
    source = tiny_checkpoint.write(tmp_path / "tiny")

    def change(*_):
        tiny_checkpoint.write(source, seed=1)

    with pytest.raises(CheckpointError, match="changed after the checkpoint was opened"):
        convert_checkpoint(source, tmp_path / "out" / "bundle", report=change)
    assert list((tmp_path / "out").iterdir()) == []


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from sparkalbert.convert import convert_checkpoint
from sparkalbert.text import PieceTokenizer
from sparkalbert.word_embedder import WordEmbedder
source, target, precision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
PieceTokenizer.load(source)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
bundle = convert_checkpoint(source, target, precision=precision)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([after - before, time.perf_counter() - start, bundle.manifest.size_bytes]))
"""


def measure(source, target, precision) -> tuple[int, float, int]:
    """Return the memory that a conversion adds at its peak (bytes), its seconds, and the size of the bundle."""
    command = [sys.executable, "-c", MEASURE, str(source), str(target), precision]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    added, seconds, size_bytes = json.loads(result.stdout)
    return added * (1 if sys.platform == "darwin" else 1024), seconds, size_bytes


@pytest.mark.parametrize("precision", PRECISIONS)
def test_memory_is_bounded_by_a_few_tensors(tmp_path, precision):
    """Eight groups of 3 MiB and a file of about 27 MiB: a copy of all weights would show."""
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}
    source = tiny_checkpoint.write(tmp_path / "tiny", num_hidden_layers=8, num_hidden_groups=8, **shape)
    file_bytes = (source / "model.safetensors").stat().st_size
    assert file_bytes > 24 * MIB
    added_bytes, _, _ = measure(source, tmp_path / "out", precision)
    assert added_bytes < file_bytes / 2


@pytest.mark.parametrize("write", [write_torch, write_legacy_torch, write_hdf5, write_tensorflow])
def test_memory_is_bounded_in_every_format(tmp_path, write):
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}
    source = tiny_checkpoint.write(tmp_path / "tiny", num_hidden_layers=8, num_hidden_groups=8, **shape)
    expected = convert_checkpoint(source, tmp_path / "expected")
    tensors = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    names = {write_torch: "pytorch_model.bin", write_legacy_torch: "pytorch_model.bin", write_hdf5: "tf_model.h5"}
    path = write(source / names[write] if write in names else source, tensors)
    added_bytes, _, _ = measure(source, tmp_path / "out", "fp32")
    assert added_bytes < 12 * MIB
    bundle = Bundle.open(tmp_path / "out")
    assert bundle.manifest.weights == path.name
    assert bundle.digest == expected.digest


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "max_bytes"), [("fp32", 225e6), ("int8", 70e6), ("fp16", 113e6)])
def test_xlarge_is_small_and_converted_quickly_in_little_memory(tmp_path, precision, max_bytes):
    source = tiny_checkpoint.write(tmp_path / "xlarge", **XLARGE)
    added_bytes, seconds, size_bytes = measure(source, tmp_path / "out", precision)
    assert seconds < 30
    assert size_bytes <= max_bytes
    assert added_bytes < 218e6
    if precision != "fp16":  # a CPU without float16 arithmetic takes minutes
        assert verify_bundle(Bundle.open(tmp_path / "out"), against=source).mean_cosine > 0.99


def test_the_home_folder_of_a_user_that_is_not_there_is_a_plain_path(tmp_path, monkeypatch):
    """As a shell reads it, and as bundles are written."""
    monkeypatch.chdir(tmp_path)
    tiny_checkpoint.write(tmp_path / "~no-such-user" / "tiny")
    bundle = convert_checkpoint("~no-such-user/tiny", "~no-such-user/out")
    assert bundle.path.resolve() == tmp_path / "~no-such-user" / "out"
    assert export_spark_nlp("~no-such-user/tiny", "~no-such-user/export").resolve() == (
        tmp_path / "~no-such-user" / "export"
    )
    assert import_onnx("~no-such-user/export", "~no-such-user/imported").verify().manifest.name == "export"
    with pytest.raises(CheckpointError, match="~no-such-user/nothing is not a folder"):
        convert_checkpoint("~no-such-user/nothing", "unused")


@pytest.mark.parametrize("write", [convert_checkpoint, export_spark_nlp])
def test_an_option_that_is_given_is_not_asked_for(tmp_path, write, caplog):
    """Not even while the files are checked, which contradict each other without it."""
    source = tiny_checkpoint.write(tmp_path / "tiny", vocab_size=500)
    (source / "spiece.model").unlink()
    shutil.copyfile(FOLDER / "unigram4" / "tokenizer.json", source / "tokenizer.json")
    (source / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    if write is export_spark_nlp:
        with pytest.raises(CheckpointError, match="reads SentencePiece vocabularies only"):
            write(source, tmp_path / "out", do_lower_case=True)
    else:
        assert write(source, tmp_path / "out", do_lower_case=True).manifest.tokenizer.options["do_lower_case"]
    assert "to decide" not in caplog.text
