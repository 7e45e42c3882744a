"""What the real Spark NLP made of real texts, and what every stage must keep."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkalbert.bundle import Bundle
from sparkalbert.convert import convert_checkpoint, export_spark_nlp
from tests.recorded.recordings import RECORDINGS, Recordings


@pytest.fixture(scope="session", params=RECORDINGS, ids=lambda recordings: recordings.name)
def recordings(request: pytest.FixtureRequest) -> Recordings:
    """Recordings of the real Spark NLP: the project's own, and the second opinion if it is present."""
    request.param.check_present()
    found: Recordings = request.param
    return found


@pytest.fixture(scope="session")
def recorded_folder(recordings: Recordings) -> Path:
    """The folder of recordings."""
    return recordings.folder


@pytest.fixture(scope="session")
def recorded_texts(recordings: Recordings) -> dict[str, dict[str, Any]]:
    """Rows of pipeline.jsonl by id: text, document, sentence, token and embeddings."""
    return recordings.texts()


@pytest.fixture(scope="session")
def recorded_output(recordings: Recordings) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of annotators/NAME.jsonl: id and the annotations of the stage's output."""
    return recordings.output


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
    assert len(names) > 80
    rows = [(name, recorded_texts[name]["text"]) for name in names]
    return spark.createDataFrame(rows, "id string, text string").coalesce(1).cache()


@pytest.fixture(scope="session")
def recorded_schema(recordings: Recordings) -> Callable[[str], dict[str, Any]]:
    """annotators/NAME.schema.json: the columns and the whole Spark schema, as JSON."""
    return lambda name: recordings.json(f"{name}.schema")


@pytest.fixture(scope="session")
def recorded_checkpoint(recordings: Recordings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint behind the recorded vectors."""
    return recordings.write_checkpoint(tmp_path_factory.mktemp("recorded") / "checkpoint")


@pytest.fixture(scope="session")
def recorded_model(recorded_checkpoint: Path) -> Bundle:
    """The bundle of that checkpoint."""
    return convert_checkpoint(recorded_checkpoint, recorded_checkpoint.with_name("recorded-model"))


@pytest.fixture(scope="session")
def recorded_import_folder(recorded_checkpoint: Path) -> Path:
    """That checkpoint as Spark NLP imports it."""
    return export_spark_nlp(recorded_checkpoint, recorded_checkpoint.with_name("import"))


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


@pytest.fixture
def setting() -> Callable[[Any, str, str], AbstractContextManager[None]]:
    """A context in which a setting of a session has a value."""

    @contextmanager
    def changed(session: Any, name: str, value: str) -> Iterator[None]:
        before = session.conf.get(name, None)
        session.conf.set(name, value)
        try:
            yield
        finally:
            if before is None:
                session.conf.unset(name)
            else:
                session.conf.set(name, before)

    return changed


@pytest.fixture
def far(tmp_path: Path, setting: Callable[..., AbstractContextManager[None]]) -> Iterator[Callable[[Any], str]]:
    """Link the folder ``far`` of a test into a file system that only Spark reaches; return its URL for a session."""
    folder = tmp_path / "far"
    with ExitStack() as stack:

        def link(session: Any) -> str:
            folder.mkdir(exist_ok=True)
            table = f"far-{uuid.uuid4().hex}"  # Hadoop keeps a file system with its first settings
            stack.enter_context(setting(session, f"fs.viewfs.mounttable.{table}.link./folder", f"file://{folder}"))
            return f"viewfs://{table}/folder"

        yield link


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
        return [{"id": row.id, "out": [[one[name] for name in names] for one in row[column]]} for row in found]

    return rows
