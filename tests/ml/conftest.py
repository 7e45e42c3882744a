"""What the real Spark NLP made of real texts, and what every stage must keep."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.convert import convert_checkpoint

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
def recorded_names(recorded_folder: Path) -> Callable[[str], set[str]]:
    """What follows a prefix in the names of annotators/NAME.jsonl."""
    folder = recorded_folder / "annotators"
    return lambda prefix: {path.stem.removeprefix(prefix) for path in folder.glob(f"{prefix}*.jsonl")}


@pytest.fixture(scope="session")
def recorded_frame(
    spark: Any, recorded_texts: dict[str, Any], recorded_output: Callable[[str], list[dict[str, Any]]]
) -> Any:
    """The texts that were recorded with every setting, in their order, as one partition: id and text."""
    names = [row["id"] for row in recorded_output("token-default")]
    assert len(names) > 300
    rows = [(name, recorded_texts[name]["text"]) for name in names]
    return spark.createDataFrame(rows, "id string, text string").coalesce(1).cache()


@pytest.fixture(scope="session")
def recorded_schema(recorded_folder: Path) -> Callable[[str], dict[str, Any]]:
    """annotators/NAME.schema.json: the columns and the whole Spark schema, as JSON."""
    return lambda name: json.loads((recorded_folder / "annotators" / f"{name}.schema.json").read_text())


@pytest.fixture(scope="session")
def recorded_model(recorded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The model behind the recorded vectors."""
    folder = tmp_path_factory.mktemp("recorded")
    checkpoint = folder / "checkpoint"
    shutil.copytree(recorded_folder / "tiny-checkpoint", checkpoint)
    shutil.copyfile(recorded_folder.parent / "albert-spiece.model", checkpoint / "spiece.model")
    return convert_checkpoint(checkpoint, folder / "recorded-model")


@pytest.fixture(scope="session")
def annotation_field() -> Callable[..., dict[str, Any]]:
    """The schema of an annotation column as JSON, written by hand."""

    def field(name: str, kind: str, **metadata: Any) -> dict[str, Any]:
        fields = [
            ("annotatorType", "string", True),
            ("begin", "integer", False),
            ("end", "integer", False),
            ("result", "string", True),
            (
                "metadata",
                {"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": True},
                True,
            ),
            ("embeddings", {"type": "array", "elementType": "float", "containsNull": False}, True),
        ]
        struct = {
            "type": "struct",
            "fields": [
                {"name": part, "type": data_type, "nullable": nullable, "metadata": {}}
                for part, data_type, nullable in fields
            ],
        }
        return {
            "name": name,
            "type": {"type": "array", "elementType": struct, "containsNull": True},
            "nullable": True,
            "metadata": {"annotatorType": kind, **metadata},
        }

    return field


@pytest.fixture(scope="session")
def no_spark_job(spark: Any) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the classic session must not start a job."""
    context = spark.sparkContext

    @contextmanager
    def watch() -> Iterator[None]:
        group = uuid.uuid4().hex
        context.setJobGroup(group, "must stay empty")
        try:
            yield
            assert list(context.statusTracker().getJobIdsForGroup(group)) == []
            spark.range(1).count()
            assert list(context.statusTracker().getJobIdsForGroup(group)) != []  # so jobs would be seen
        finally:
            context.setLocalProperty("spark.jobGroup.id", None)

    return watch


@pytest.fixture(scope="session")
def annotate() -> Callable[..., list[Any]]:
    """A task's output for columns of plain lists, without Spark: (type, begin, end, result, metadata)."""

    def run(task: Any, types: Any, columns: Any) -> list[Any]:
        batch = tuple(pa.array(column, type=kind) for column, kind in zip(columns, types, strict=True))
        rows = [row for array in task(iter([batch])) for row in array.to_pylist()]
        names = ("annotatorType", "begin", "end", "result")
        return [[[*(one[name] for name in names), dict(one["metadata"])] for one in row] for row in rows]

    return run


@pytest.fixture(scope="session")
def as_recorded() -> Callable[[Any, str], list[dict[str, Any]]]:
    """A DataFrame's id and one annotation column in the form of the recordings."""

    def rows(frame: Any, column: str) -> list[dict[str, Any]]:
        found = frame.select("id", column).collect()
        assert all(list(one.embeddings) == [] for row in found for one in row[column])
        names = ("annotatorType", "begin", "end", "result", "metadata")
        return [
            {"id": row.id, "out": [[one[name] for name in names] for one in row[column]]} for row in found
        ]

    return rows


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
