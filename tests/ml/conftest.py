"""What the real Spark NLP made of real texts, for the tests that compare with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "spark-nlp"


@pytest.fixture(scope="session")
def recorded_folder() -> Path:
    """The folder of recordings; a test that asks for it is skipped where they are not."""
    if not _RECORDED.is_dir():
        pytest.skip("recordings of Spark NLP are not here")
    return _RECORDED


@pytest.fixture(scope="session")
def recorded_texts(recorded_folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of pipeline.jsonl by id: text, document, sentence, token and embeddings."""
    return {row["id"]: row for row in _rows(recorded_folder / "pipeline.jsonl")}


@pytest.fixture(scope="session")
def recorded_output(recorded_folder: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of annotators/NAME.jsonl: id and the annotations of the stage's output."""
    return lambda name: _rows(recorded_folder / "annotators" / f"{name}.jsonl")


@pytest.fixture(scope="session")
def recorded_schema(recorded_folder: Path) -> Callable[[str], dict[str, Any]]:
    """annotators/NAME.schema.json: the columns and the whole Spark schema, as JSON."""
    return lambda name: json.loads((recorded_folder / "annotators" / f"{name}.schema.json").read_text())


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
