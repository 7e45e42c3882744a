"""convert, inspect, verify and models, on real files."""

import json
import re
import shutil

import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.cli import run
from sparkalbert.models import KNOWN_MODELS, find_model
from sparkalbert.text import PieceTokenizer
from tests import tiny_bundle


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
def test_convert_makes_a_bundle_that_verifies(tmp_path, capsys, precision):
    source, target = tiny_bundle.checkpoint(), tmp_path / "bundle"
    assert run(["convert", str(source), str(target), "--precision", precision, "--name", "tiny"]) == 0
    bundle = Bundle.open(target).verify()
    assert (bundle.manifest.name, bundle.manifest.precision) == ("tiny", precision)
    assert bundle.digest in capsys.readouterr().out
    assert run(["verify", str(target)]) == 0
    assert "its own weights" in capsys.readouterr().out
    assert run(["verify", str(target), "--against", str(source)]) == 0
    assert "largest error" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["bundle", "spark-nlp"])
def test_convert_takes_options_of_the_tokenizer(tmp_path, capsys, layout):
    target = tmp_path / "out"
    options = ["--no-do-lower-case", "--keep-accents", "--layout", layout]
    assert run(["convert", str(tiny_bundle.checkpoint()), str(target), *options]) == 0
    found = PieceTokenizer.load(target).options
    assert (found.do_lower_case, found.keep_accents, found.remove_space) == (False, True, True)
    if layout == "bundle":
        shown = capsys.readouterr().out
        assert "sentencepiece, from spiece.model; do_lower_case false (given), keep_accents true (given)" in shown
        assert "remove_space true (default)" in shown


def test_convert_replaces_only_with_overwrite(tmp_path, capsys):
    source, target = str(tiny_bundle.checkpoint()), str(tmp_path / "bundle")
    assert run(["convert", source, target]) == 0
    assert run(["convert", source, target, "--precision", "int8"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(["convert", source, target, "--precision", "int8", "--overwrite"]) == 0
    assert Bundle.open(target).manifest.precision == "int8"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_convert_writes_a_folder_that_spark_nlp_imports(tmp_path, capsys, precision):
    source, target = str(tiny_bundle.checkpoint()), tmp_path / "import"
    command = ["convert", source, str(target), "--layout", "spark-nlp", "--precision", precision]
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert str(target) in shown
    for name in ("model.onnx", "assets/spiece.model"):
        assert (target / name).is_file()
        assert name in shown
    assert find_model(target).manifest.dimension == 32
    assert run(command) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite"]) == 0
    assert run([*command, "--overwrite", "--name", "mine"]) == 1
    assert "does not store a name" in capsys.readouterr().err


def test_convert_lists_every_problem(tmp_path, capsys):
    source = tmp_path / "checkpoint"
    source.mkdir()
    (source / "config.json").write_text('{"model_type": "bert"}')
    assert run(["convert", str(source), str(tmp_path / "bundle")]) == 1
    assert "problems:" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_inspect_shows_the_manifest(capsys):
    bundle = tiny_bundle.bundle("int8")
    assert run(["inspect", str(bundle.path)]) == 0
    shown = capsys.readouterr().out
    for value in (bundle.manifest.name, "int8", bundle.digest, *bundle.manifest.files):
        assert value in shown
    for record in bundle.manifest.files.values():
        assert record.sha256 in shown


def test_inspect_as_json_is_complete(capsys):
    bundle = tiny_bundle.bundle()
    assert run(["inspect", str(bundle.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["digest"] == bundle.digest
    assert found["manifest"] == json.loads((bundle.path / "manifest.json").read_text())
    assert found["config"] == bundle.config.to_dict()


def test_inspect_shows_the_note_of_a_model(tmp_path, capsys):
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.bundle().path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"note": "Its numbers are made up."}))
    assert run(["inspect", str(folder)]) == 0
    assert "Its numbers are made up." in capsys.readouterr().out


def test_a_name_is_not_read_as_markup(tmp_path, capsys):
    folder = tmp_path / "[b]bundle[/b]"
    shutil.copytree(tiny_bundle.bundle().path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"name": "[red]tiny[/red] :smile:"}))
    assert run(["inspect", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "[red]tiny[/red] :smile:" in shown
    assert "[b]bundle[/b]" in shown


def test_verify_shows_how_many_vectors_are_compared(capsys, terminal):
    terminal()
    assert run(["verify", str(tiny_bundle.bundle().path)]) == 0
    bar = r"Verifying .*([0-9,]+) of \1 vectors, [0-9,.]+/(s|min) .*elapsed, .* left"
    assert re.search(bar, capsys.readouterr().err)


@pytest.mark.parametrize("words", [["verify"], ["inspect"], ["inspect", "--json"]])
def test_a_changed_byte_is_found(tmp_path, capsys, words):
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.bundle().path, folder)
    weights = folder / "model.onnx.data"
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)
    assert run([*words, str(folder)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "model.onnx.data has sha256" in shown.err


def test_verify_finds_the_weights_of_another_model(tmp_path, capsys):
    from tests import tiny_checkpoint

    other = tiny_checkpoint.write(tmp_path / "other", seed=1)
    assert run(["verify", str(tiny_bundle.bundle().path), "--against", str(other)]) == 1
    assert "has a relative error of" in capsys.readouterr().err


def test_inspect_tells_what_a_checkpoint_needs(capsys):
    assert run(["inspect", str(tiny_bundle.checkpoint())]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in (
        "dimension 32",
        "do_lower_case true (default)",
        "nothing known before the weights are read",
        "spiece.model",
        "vocabulary",
        "kB in fp32",
        "MFLOP per piece",
    ):
        assert text in shown


def test_inspect_fails_if_something_is_missing(tmp_path, capsys):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_bundle.checkpoint(), folder)
    (folder / "spiece.model").unlink()
    assert run(["inspect", str(folder)]) == 1
    assert "- Expected a vocabulary at" in capsys.readouterr().out
    assert run(["inspect", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["contents"]["config"]["hidden_size"] == 32
    assert len(found["contents"]["problems"]) == 1
    assert found["contents"]["uses"]["model.safetensors"] == "weights"


def test_models_lists_this_machines_models_and_known_names(capsys):
    assert run(["models"]) == 0
    before = capsys.readouterr().out
    assert "albert_mini_en" in before
    assert "albert_xlarge_uncased" in before
    assert "in the cache" not in before
    find_model(tiny_bundle.checkpoint())
    assert run(["models"]) == 0
    assert "in the cache" in capsys.readouterr().out


def test_models_lists_every_known_name(capsys):
    assert run(["models", "--all"]) == 0
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()}
    assert rows["albert_xlarge_uncased"] == (
        "en 2048 218.1 MB 109.6 MB 67.2 MB 700 MB 2,416 apache-2.0 albert/albert-xlarge-v2"
    )
    assert rows["albert_for_arqmath_3"] == "en - - - - - - none stated AnReu/albert-for-arqmath-3"
    assert rows["albert_indic"].startswith("xx 768 ")
    assert set(KNOWN_MODELS) <= set(rows)
