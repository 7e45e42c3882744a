"""How rows are cut, joined and emitted, on plain Arrow arrays."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import TaskContext

from sparkalbert.inference import EmbedderOptions, SessionOptions, VectorSizes
from sparkalbert.inference.embedder import Embedder
from sparkalbert.ml.worker.embedding_tasks import TokenListTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
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
    assert not session.options.spinning


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
