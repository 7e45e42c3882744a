"""How rows are cut, joined and emitted, on plain Arrow arrays."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import TaskContext

from sparkalbert import timings
from sparkalbert.errors import InferenceError
from sparkalbert.inference import EmbedderOptions, SessionOptions, VectorSizes
from sparkalbert.inference.embedder import Embedder
from sparkalbert.ml.worker import embedding_tasks
from sparkalbert.ml.worker.embedding_tasks import AnnotationTask, MeanVectorTask, TokenListTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from sparkalbert.ml.worker.row_errors import RowErrorsTask
from sparkalbert.timings import TIMINGS
from sparkalbert.word_embedder import WordEmbedder
from tests import tiny_bundle

token_lists = st.lists(
    st.none() | st.lists(st.none() | st.text("ab \u200b🙂", max_size=5), max_size=12), min_size=1, max_size=12
)

DIMENSION = 32


def model(sizes=None, **options):
    bundle = tiny_bundle.bundle()
    handle = ModelHandle("tiny", bundle.digest, str(bundle.path))
    return WorkerModel(handle, EmbedderOptions(**options), 1, sizes or VectorSizes())


def vector_sizes(window, output, row=None):
    """Sizes in vectors of the tiny model."""
    sizes = (None if size is None else size * 4 * DIMENSION for size in (window, output, row))
    return VectorSizes(*sizes)


@given(
    rows=token_lists,
    sizes=st.builds(vector_sizes, st.integers(1, 40), st.integers(1, 40), st.none() | st.integers(0, 9)),
    start=st.integers(0, 3),
)
def test_rows_come_back_however_they_are_cut(rows, sizes, start):
    array = pa.array([["before"]] * start + rows, pa.list_(pa.string())).slice(start)
    parts = list(TokenListTask(model(sizes))(iter([(array,)])))
    found = [row for part in parts for row in part.to_pylist()]
    assert [None if row is None else len(row) for row in found] == [None if row is None else len(row) for row in rows]
    plain = WordEmbedder(tiny_bundle.bundle(), EmbedderOptions(session=SessionOptions(threads=1)))
    expected = plain.embed_tokens([[token or "" for token in row or ()] for row in rows])
    for row, words in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.array(row or [], dtype=np.float32).reshape(-1, 32), words.vectors)


def test_output_arrays_stay_near_their_size():
    array = pa.array([["a"] * 10] * 20 + [["a"] * 100], pa.list_(pa.string()))
    parts = list(TokenListTask(model(vector_sizes(1000, 35)))(iter([(array,)])))
    assert [len(part) for part in parts] == [3, 3, 3, 3, 3, 3, 2, 1]


def test_empty_batches_give_nothing():
    task = TokenListTask(model())
    assert list(task(iter([(pa.array([], pa.list_(pa.string())),)]))) == []
    assert list(task(iter([]))) == []


def test_a_process_keeps_its_model():
    first, again, other = model().load(), model().load(), model(encoding="token").load()
    assert first.model is again.model
    assert first.model is other.model


@pytest.mark.parametrize(("cpus", "set_to", "expected"), [(1, None, 1), (3, None, 3), (3, 2, 2), (0, None, 1)])
def test_threads_follow_the_cores_of_a_task_unless_set(monkeypatch, cpus, set_to, expected):
    monkeypatch.setattr(TaskContext, "_taskContext", None)  # a new one becomes this process's own
    TaskContext()._cpus = cpus
    bundle = tiny_bundle.bundle()
    handle = ModelHandle("tiny", bundle.digest, str(bundle.path))
    session = WorkerModel(handle, EmbedderOptions(), set_to).load().model.session
    assert session.options.threads == expected


def test_a_model_that_is_not_on_the_worker_is_named(spark, tmp_path):
    handle = ModelHandle("albert_lost", "0" * 64, str(tmp_path / "gone"), file="gone.zip")
    with pytest.raises(ValueError, match=r"'albert_lost' is not on this worker\. Tried: .*gone.*gone\.zip"):
        handle.locate()


def test_another_bundle_at_the_same_path_is_not_taken(tmp_path):
    bundle = tiny_bundle.bundle()
    with pytest.raises(ValueError, match="is not on this worker"):
        ModelHandle("tiny", "0" * 64, str(bundle.path)).locate()


def test_the_first_array_is_sent_when_few_tokens_are_computed(monkeypatch):
    """Windows grow from 64 tokens on, however large a batch is; later batches are cut into full windows only."""
    computed = []
    real = Embedder.vectors

    def counted(self, sentences):
        computed.append(sum(len(sentence.ranges) for sentence in sentences))
        return real(self, sentences)

    monkeypatch.setattr(Embedder, "vectors", counted)
    batch = pa.array([["a"] * 20] * 4000, pa.list_(pa.string()))
    read = []

    def batches():
        for number in range(2):
            read.append(number)
            yield (batch,)

    made = TokenListTask(model(vector_sizes(2000, 2000)))(batches())
    assert len(next(made)) == 3
    assert (computed, read) == ([60], [0])
    assert sum(len(array) for array in made) == 2 * 4000 - 3
    assert computed[:5] == [60, 240, 1020, 2000, 2000]
    assert computed[-40:] == [2000] * 40


def annotation_columns(rows):
    """The fields of sentences and tokens of rows of sentences, each given as its words; None is a null row."""
    sentences, tokens = [], []
    for row in rows:
        begin, own, words = 0, [], []
        for number, sentence in enumerate(row or ()):
            text = " ".join(sentence)
            own.append((begin, begin + len(text) - 1, text, str(number)))
            for word in sentence:
                words.append((begin, begin + len(word) - 1, word, str(number)))
                begin += len(word) + 1
            begin += not sentence
        sentences.append(None if row is None else own)
        tokens.append(None if row is None else words)
    return tuple(
        pa.array([None if row is None else [item[place] for item in row] for row in annotations], pa.list_(kind))
        for annotations in (sentences, tokens)
        for place, kind in enumerate([pa.int32(), pa.int32(), pa.string(), pa.string()])
    )


TASKS = {
    "lists": TokenListTask,
    "annotations": AnnotationTask,
    "sentence": partial(MeanVectorTask, of_sentences=True),
    "document": partial(MeanVectorTask, of_sentences=False),
}


def columns_of(name, rows):
    """The input of a task: each row is a list of sentences of words."""
    if name == "lists":
        lists = [None if row is None else [word for sentence in row for word in sentence] for row in rows]
        return (pa.array(lists, pa.list_(pa.string())),)
    return annotation_columns(rows)


@pytest.mark.parametrize(
    ("dimension", "binary", "most"),
    [
        (2048, None, 262_143),
        (2048, "binary", 262_143),
        (2048, "binary16", 524_287),
        (4096, None, 131_071),
        (8192, None, 65_535),
    ],
)
def test_a_row_has_less_than_2_gib_of_vectors(dimension, binary, most):
    embedding_tasks._check_row_bytes(np.array([0, most, 1]), dimension, binary)
    with pytest.raises(InferenceError) as raised:
        embedding_tasks._check_row_bytes(np.array([0, most + 1, 1]), dimension, binary)
    vector_bytes = dimension * (2 if binary == "binary16" else 4)
    assert str(raised.value) == (
        f"The row has {most + 1} vectors of {vector_bytes} bytes, expected at most {most}: Arrow and Spark take less "
        "than 2 GiB per row. Split it into several rows, or set outputLevel to 'document'."
    )


@pytest.mark.parametrize("binary", [None, "binary16"])
@pytest.mark.parametrize("name", TASKS)
def test_a_row_that_is_too_large_to_leave_is_an_error_of_the_row_before_it_is_computed(monkeypatch, name, binary):
    vectors = 4 if name == "sentence" else 8
    monkeypatch.setattr(embedding_tasks, "_MAX_ROW_BYTES", vectors * DIMENSION * (4 if binary is None else 2))
    computed, real = [], Embedder.vectors

    def counted(self, sentences):
        computed.append(sum(len(sentence.ranges) for sentence in sentences))
        return real(self, sentences)

    monkeypatch.setattr(Embedder, "vectors", counted)
    rows = [[["the", "a"]] * 4, [["the", "a"]] * 5, None, [["a"]]]
    task = RowErrorsTask(TASKS[name](model(vector_sizes(3, 3)), binary=binary), "text", 1.0)
    found = [row for array in task(iter([columns_of(name, rows)])) for (row,) in array.to_pylist()]
    errors = [row["error"] for row in found]
    if name == "document":
        assert errors == [None] * 4
        return
    assert [error is None for error in errors] == [True, False, True, True]
    assert errors[1].startswith(f"The row has {5 if name == 'sentence' else 10} vectors of ")
    assert found[1]["value"] is None
    assert sum(computed) == 8 + 1
    with pytest.raises(InferenceError, match=r"^Row 1 in partition 0 of column 'text' .*: The row has "):
        list(RowErrorsTask(task.task, "text")(iter([columns_of(name, rows)])))


@pytest.mark.parametrize("name", TASKS)
def test_what_spark_does_between_two_arrays_is_in_no_phase(monkeypatch, name):
    now = [0.0]
    monkeypatch.setattr(timings, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    before = dict(TIMINGS.seconds)
    arrays = 0
    for _ in TASKS[name](model(vector_sizes(4, 2)))(iter([columns_of(name, [[["the", "a"]]] * 6)])):
        now[0] += 100
        arrays += 1
    assert arrays > 1
    assert before == TIMINGS.seconds


@pytest.mark.parametrize(
    ("name", "row", "arrays"),
    [
        ("document", None, [10, 10, 10]),
        ("document", [], [10, 10, 10]),
        ("sentence", [[]] * 4, [2] * 15),
        ("sentence", [], [30]),
    ],
)
def test_rows_without_tokens_are_cut_by_the_vectors_that_they_return(monkeypatch, name, row, arrays):
    monkeypatch.setattr(embedding_tasks, "FIRST_WINDOW_TOKENS", 1000)
    parts = list(TASKS[name](model(vector_sizes(10, 10)))(iter([columns_of(name, [row] * 30)])))
    assert [len(part) for part in parts] == arrays
    zeros = [[0.0] * DIMENSION] * len(row or ()) if name == "sentence" else None if row is None else [0.0] * DIMENSION
    assert [value for part in parts for value in part.to_pylist()] == [zeros] * 30
