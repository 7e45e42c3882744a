"""The command distill on a tiny teacher."""

import json

from sparkalbert.cli import run
from tests import tiny_vocabulary
from tests.distill import tiny_teacher
from tests.distill.conftest import needs_torch

pytestmark = needs_torch

SIZES = [
    "--vocab-size",
    "250",
    "--embedding-size",
    "16",
    "--hidden-size",
    "24",
    "--num-hidden-layers",
    "2",
    "--steps",
    "3",
]


def test_distill_trains_a_checkpoint_of_several_files_and_continues(tmp_path, capsys):
    teacher = tiny_teacher.write(tmp_path / "teacher")
    lines = [line for line in tiny_vocabulary.TEXT.splitlines() if line]
    (tmp_path / "one.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "two.txt").write_text(
        "\n".join(f"{start} {line}" for start in ("Then", "They say", "Once") for line in lines),
        encoding="utf-8",
    )
    corpus = ["--corpus", str(tmp_path / "one.txt"), str(tmp_path / "two.txt")]
    words = ["distill", "--teacher", str(teacher), *corpus, "--output", str(tmp_path / "student"), *SIZES]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "step 1, word" in shown.err
    assert "minutes left" in shown.err
    assert "student" in shown.out
    config = json.loads((tmp_path / "student" / "config.json").read_text())
    assert (config["hidden_size"], config["vocab_size"]) == (24, 250)
    before = (tmp_path / "student" / "model.safetensors").read_bytes()
    assert run(words) == 0
    assert (tmp_path / "student" / "model.safetensors").read_bytes() == before, "its steps are done"
    assert run([*words[:-1], "5"]) == 0
    assert (tmp_path / "student" / "model.safetensors").read_bytes() != before


def test_distill_reports_a_missing_teacher(tmp_path, capsys):
    words = ["distill", "--teacher", str(tmp_path), "--corpus", str(tmp_path / "absent.txt"), "-o", "out"]
    assert run(words) == 1
    assert "config.json" in capsys.readouterr().err
