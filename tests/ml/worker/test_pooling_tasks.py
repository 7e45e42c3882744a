"""Pooled vectors, against the loops that the JVM runs."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ColumnError
from sparkalbert.ml.worker import pooling_tasks
from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE
from sparkalbert.ml.worker.pooling_tasks import ChunkVectorTask, SentenceVectorTask

STRATEGIES = ("AVERAGE", "SUM")


def annotation(begin, end, result, metadata, vector=()):
    return {
        "annotatorType": "any",
        "begin": begin,
        "end": end,
        "result": result,
        "metadata": list(metadata.items()),
        "embeddings": vector if vector is None else list(vector),
    }


def word(begin, end, sentence, vector, is_oov="false"):
    return annotation(begin, end, "w", {"sentence": sentence, "isOOV": is_oov}, vector)


def run(task, columns):
    """Rows of annotations through a task: first the sentences or chunks, then the words."""
    arrays = [pa.array(rows, type=ARROW_COLUMN_TYPE) for rows in columns]
    batch = tuple(field.array(array) for array, part in zip(arrays, task.inputs, strict=True) for field in part)
    assert [array.type for array in batch] == [field.type for part in task.inputs for field in part]
    made = pa.concat_arrays(list(task(iter([batch]))))
    assert made.type == ARROW_COLUMN_TYPE
    made.validate(full=True)
    return made.to_pylist()


def loop(vectors, strategy):
    """As the JVM adds: one number after another, in single precision."""
    sums = np.zeros(len(vectors[0]), dtype=np.float32)
    for vector in vectors:
        for place, value in enumerate(vector):
            sums[place] = np.float32(sums[place] + np.float32(value))
    if strategy == "AVERAGE":
        sums = sums / np.float32(len(vectors))
    return sums.tolist()


floats = st.floats(-1e6, 1e6, width=32)
spans = st.tuples(st.integers(0, 30), st.integers(0, 4), st.integers(0, 2))
rows = st.lists(st.tuples(st.lists(spans, max_size=6), st.lists(spans, max_size=12)), min_size=1, max_size=4)


@given(rows=rows, data=st.data(), strategy=st.sampled_from(STRATEGIES))
def test_sentences_are_pooled_as_by_a_loop(rows, data, strategy):
    sentences, words = [], []
    for some, others in rows:
        sentences.append([annotation(b, b + n, "s", {"sentence": str(k)}) for b, n, k in some])
        words.append(
            [word(b, b + n, str(k), data.draw(st.lists(floats, min_size=2, max_size=2))) for b, n, k in others]
        )
    found = run(SentenceVectorTask(strategy), [sentences, words])
    for made, row_sentences, row_words in zip(found, sentences, words, strict=True):
        for one, sentence in zip(made, row_sentences, strict=True):
            key = dict(sentence["metadata"])["sentence"]
            vectors = [w["embeddings"] for w in row_words if dict(w["metadata"])["sentence"] == key]
            assert one["embeddings"] == (loop(vectors, strategy) if vectors else [])
            assert (one["annotatorType"], one["begin"], one["end"], one["result"]) == (
                "sentence_embeddings", sentence["begin"], sentence["end"], "s",
            )  # fmt: skip
            assert one["metadata"] == [
                ("sentence", key), ("token", "s"), ("pieceId", "-1"), ("isWordStart", "true"),
            ]  # fmt: skip


@given(rows=rows, data=st.data(), strategy=st.sampled_from(STRATEGIES), skip_oov=st.booleans())
def test_chunks_are_pooled_as_by_a_loop(rows, data, strategy, skip_oov):
    chunks, words = [], []
    for some, others in rows:
        chunks.append([annotation(b, b + 2 * n, "c", {"sentence": str(k), "chunk": str(n)}) for b, n, k in some])
        words.append(
            [
                word(
                    b, b + n, str(k), data.draw(st.lists(floats, min_size=2, max_size=2)),
                    data.draw(st.sampled_from(["true", "false"])),
                )
                for b, n, k in others
            ]
        )  # fmt: skip
    found = run(ChunkVectorTask(strategy, skip_oov), [chunks, words])
    for made, row_chunks, row_words in zip(found, chunks, words, strict=True):
        expected = []
        for chunk in row_chunks:
            own = dict(chunk["metadata"])
            inside = [
                w for w in row_words
                if dict(w["metadata"])["sentence"] == own["sentence"]
                and w["begin"] >= chunk["begin"] and w["end"] <= chunk["end"]
            ]  # fmt: skip
            known = [w for w in inside if dict(w["metadata"])["isOOV"] == "false" or not skip_oov]
            vectors = [w["embeddings"] for w in known or inside]
            if vectors:
                own |= {"token": "c", "pieceId": "-1", "isWordStart": "true"}
                expected.append((chunk["begin"], chunk["end"], "c", own, loop(vectors, strategy)))
        assert [(o["begin"], o["end"], o["result"], dict(o["metadata"]), o["embeddings"]) for o in made] == expected


def test_null_rows_and_missing_metadata():
    sentences = [[annotation(0, 1, None, {})], None, [], [annotation(0, 1, "x", {})], None]
    words = [[word(0, 1, "0", (1, 2))], [word(0, 1, "0", (1, 2))], [], None, None]
    found = run(SentenceVectorTask("SUM"), [sentences, words])
    assert [row and [one["embeddings"] for one in row] for row in found] == [[[1, 2]], None, [], None, None]
    chunks = [[annotation(0, 1, None, {})], None, [], [annotation(0, 1, "x", {})], None]
    (chunk,), *others = run(ChunkVectorTask("SUM", skip_oov=True), [chunks, words])
    assert dict(chunk["metadata"]) == {
        "sentence": "0", "chunk": "0", "token": None, "pieceId": "-1", "isWordStart": "true",
    }  # fmt: skip
    assert others == [None, [], None, None]


def test_what_else_a_chunk_says_is_kept():
    chunks = [
        [
            annotation(0, 1, "a", {"entity": "X", "sentence": "0", "chunk": "3", "pieceId": "9"}),
            annotation(0, 1, "b", {"sentence": "0", "chunk": "4"}),
        ]
    ]
    ((first, second),) = run(ChunkVectorTask("AVERAGE", skip_oov=True), [chunks, [[word(0, 1, "0", (1.0,))]]])
    same = {"sentence": "0", "pieceId": "-1", "isWordStart": "true"}
    assert dict(first["metadata"]) == {**same, "chunk": "3", "token": "a", "entity": "X"}
    assert dict(second["metadata"]) == {**same, "chunk": "4", "token": "b"}


def test_vectors_of_several_widths():
    """Rows of two models may meet in one batch, words of two models not."""
    sentences = [[annotation(0, 9, "s", {"sentence": "0"})]] * 3
    words = [
        [word(0, 1, "0", (1, 2, 3)), word(2, 3, "0", (1, 2, 3))],
        [word(0, 1, "0", (5,))],
        [word(0, 1, "0", ()), word(2, 3, "1", (1, 2))],
    ]
    found = run(SentenceVectorTask("SUM"), [sentences, words])
    assert [row[0]["embeddings"] for row in found] == [[2, 4, 6], [5], []]
    with pytest.raises(ColumnError, match="different widths"):
        run(SentenceVectorTask("SUM"), [sentences[:1], [[word(0, 1, "0", (1, 2)), word(0, 1, "0", (1,))]]])


def test_a_sentence_number_that_is_not_an_integer():
    with pytest.raises(ColumnError, match="'sentence' that is not an integer"):
        run(SentenceVectorTask("SUM"), [[[annotation(0, 1, "s", {"sentence": "x"})]], [[]]])


def test_groups_change_nothing(monkeypatch):
    sentences = [[annotation(0, 9, "s", {"sentence": "0"})]] * 5 + [None, []]
    words = [[word(0, 1, "0", (number, 1)), word(2, 3, "0", (1, 2))] for number in range(5)] + [[], []]
    whole = run(SentenceVectorTask("AVERAGE"), [sentences, words])
    monkeypatch.setattr(pooling_tasks, "_GROUP_BYTES", 20)
    assert run(SentenceVectorTask("AVERAGE"), [sentences, words]) == whole


@pytest.mark.parametrize(("group_bytes", "arrays"), [(1 << 20, [6]), (64, [2, 2, 2]), (8, [1] * 6)])
def test_groups_are_cut_by_the_vectors_that_are_returned_if_they_are_more(monkeypatch, group_bytes, arrays):
    chunks = [[annotation(0, 1, "c", {"sentence": "0"})] * 4] * 6
    words = [[word(0, 1, "0", (1, 2))]] * 6
    monkeypatch.setattr(pooling_tasks, "_GROUP_BYTES", group_bytes)
    task = ChunkVectorTask("AVERAGE", skip_oov=False)
    columns = [pa.array(rows, type=ARROW_COLUMN_TYPE) for rows in (chunks, words)]
    batch = tuple(field.array(column) for column, part in zip(columns, task.inputs, strict=True) for field in part)
    found = list(task(iter([batch])))
    assert [len(array) for array in found] == arrays
    assert pa.concat_arrays(found).to_pylist() == run(task, [chunks, words])
    assert [[one["embeddings"] for one in row] for row in run(task, [chunks, words])] == [[[1.0, 2.0]] * 4] * 6
