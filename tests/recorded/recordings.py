"""The recordings of the real Spark NLP: this folder's own, and a larger second opinion where it is present."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

from tests import tiny_checkpoint

_TESTS = Path(__file__).resolve().parents[1]
VOCABULARY = Path(__file__).parent / "albert" / "spiece.model"
"""The vocabulary of the ALBERT v2 checkpoints."""

_SEED = 20
_VOCABULARY_SIZE = 30_000
# The weights behind the own vectors, which NumPy makes from the seed.
_WEIGHTS_SHA256 = "f46452052cbe76d9601d68e4ab8d2aba0e7b3cceffc66a1b02dc551abc86015b"


@dataclass(frozen=True)
class Recordings:
    """A folder of recordings; README.md describes its files.

    Parameters
    ----------
    name
        For test ids.
    folder
        Where it is.
    """

    name: str
    folder: Path

    def texts(self) -> dict[str, dict[str, Any]]:
        """Return the rows of pipeline.jsonl by id: text, document, sentence, token and embeddings."""
        return {row["id"]: row for row in read_lines(self.folder / "pipeline.jsonl")}

    def output(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of annotators/NAME.jsonl: id and the annotations of the stage's output."""
        return read_lines(self.folder / "annotators" / f"{name}.jsonl")

    def json(self, name: str) -> Any:
        """Return the content of annotators/NAME.json."""
        return json.loads((self.folder / "annotators" / f"{name}.json").read_text(encoding="utf-8"))

    def write_checkpoint(self, folder: Path) -> Path:
        """Write the checkpoint behind the recorded vectors to a new folder, and return the folder."""
        stored = self.folder / "tiny-checkpoint"
        if stored.is_dir():
            shutil.copytree(stored, folder)
        else:
            _write_random_checkpoint(folder)
        shutil.copyfile(VOCABULARY, folder / "spiece.model")
        return folder

    def check_present(self) -> None:
        """Skip the test if the recordings are not in this checkout."""
        if not self.folder.is_dir():
            pytest.skip(f"the recordings {self.name!r} are not at {self.folder}")


OWN = Recordings("own", Path(__file__).with_name("spark_nlp"))
SECOND = Recordings("second-opinion", _TESTS.parents[1] / "shared" / "data" / "spark-nlp")
RECORDINGS = [OWN, SECOND]


def _write_random_checkpoint(folder: Path) -> None:
    config = tiny_checkpoint.tiny_config(vocab_size=_VOCABULARY_SIZE)
    tensors = tiny_checkpoint.random_tensors(config, seed=_SEED)
    found = tiny_checkpoint.checksum(tensors)
    assert found == _WEIGHTS_SHA256, f"NumPy makes other weights from the same seed: {found}"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors")


@cache
def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object per line. (str.splitlines would also split at U+2028, which texts contain.)"""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
