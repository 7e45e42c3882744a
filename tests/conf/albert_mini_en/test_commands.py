import shutil
import subprocess
import sys
from pathlib import Path

from conf.albert_mini_en.commands import main
from sparkalbert.bundle import Bundle
from tests import tiny_bundle
from tests.conf.albert_mini_en import folder as downloads

FOLDER = Path(__file__).parents[3] / "conf/albert_mini_en"


def test_the_folder_is_a_program(tmp_path):
    command = [sys.executable, str(FOLDER), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "{fetch,train,evaluate,pack}" in done.stdout


def test_a_checkpoint_is_packed_without_torch(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(tiny_bundle.checkpoint(), checkpoint)
    (checkpoint / "MODEL_CARD.md").write_text("# Tiny\n")
    assert main(["pack", "--checkpoint", str(checkpoint), "--output", str(tmp_path / "bundle")]) == 0
    assert "MODEL_CARD.md" in Bundle.open(tmp_path / "bundle").manifest.files


def test_an_error_is_one_message(tmp_path, capsys):
    assert main(["pack", "--checkpoint", str(tmp_path / "absent"), "--output", str(tmp_path / "bundle")]) == 1
    assert "absent is not a folder" in capsys.readouterr().err


def test_the_vocabulary_is_kept_for_the_same_weights_only(tmp_path, monkeypatch):
    from conf.albert_mini_en import commands

    trained = []

    def train(weights, folder, size):
        trained.append(weights)
        folder.mkdir()
        shutil.copyfile(tiny_bundle.checkpoint() / "spiece.model", folder / "spiece.model")

    weights = {"river": 1.0}
    monkeypatch.setattr(commands, "train_vocabulary", train)
    monkeypatch.setattr(commands, "vocabulary_weights", lambda *_: weights)
    folder = downloads.write(tmp_path)
    first = commands._vocabulary({}, folder)
    assert commands._vocabulary({}, folder) == first
    weights = {"river": 2.0}
    assert commands._vocabulary({}, folder) != first
    assert trained == [{"river": 1.0}, {"river": 2.0}]
