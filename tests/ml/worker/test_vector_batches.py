"""Rows that are larger than a window: parts, one array, and a file."""

import gc
import mmap
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import InferenceError
from sparkalbert.inference import EmbedderOptions, SessionOptions, VectorOptions, VectorSizes
from sparkalbert.inference.embedder import Embedder
from sparkalbert.inference.model import MODELS
from sparkalbert.ml.worker import vector_batches
from sparkalbert.ml.worker.vector_batches import held_vectors, sentence_parts
from sparkalbert.text.pieces.encoding import EncodedSentence
from tests import tiny_bundle

VECTOR_BYTES = 4 * 32
"""Bytes of a vector of the tiny model."""

LINUX = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")


def embedder(**vectors):
    bundle = tiny_bundle.bundle()
    model = MODELS.get(bundle.digest, SessionOptions(), bundle.verify)
    return Embedder(model, EmbedderOptions(vectors=VectorOptions(**vectors)))


sentences = st.lists(
    st.lists(st.sampled_from(["a", "lighthouses", "\u200b", "the"]), max_size=40), min_size=1, max_size=4
)


@given(
    lists=sentences,
    window=st.integers(1, 30),
    row=st.none() | st.integers(0, 200),
    pooling=st.sampled_from(["first", "mean", "first_last"]),
)
def test_vectors_are_the_same_bits_whatever_is_held(lists, window, row, pooling):
    whole = embedder(pooling=pooling, max_sentence_length=9)
    encoded = whole.encode_token_lists(lists)
    sizes = VectorSizes(window * VECTOR_BYTES, VECTOR_BYTES, None if row is None else row * VECTOR_BYTES)
    with held_vectors(whole, encoded, sizes) as vectors:
        np.testing.assert_array_equal(vectors, whole.vectors(encoded))


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 10))
def test_parts_hold_every_word_once_in_order(counts, most):
    words = iter(range(sum(counts)))
    given_sentences = [
        EncodedSentence(np.arange(3), np.array([[next(words)] * 2 for _ in range(count)]).reshape(-1, 2))
        for count in counts
    ]
    found = list(sentence_parts(given_sentences, most))
    sizes = [sum(len(sentence.ranges) for sentence in part) for part in found]
    assert all(size == most for size in sizes[:-1])
    assert all(0 < size <= most for size in sizes)
    joined = [number for part in found for sentence in part for number in sentence.ranges[:, 0].tolist()]
    assert joined == list(range(sum(counts)))


@LINUX
def test_what_is_too_large_to_hold_waits_in_a_file_of_spark_s_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path / 'gone'},{tmp_path}")
    one = embedder()
    encoded = one.encode_token_lists([["word"] * 50])
    with held_vectors(one, encoded, VectorSizes(20 * VECTOR_BYTES, VECTOR_BYTES, 40 * VECTOR_BYTES)) as vectors:
        assert f"{tmp_path}/" in Path("/proc/self/maps").read_text()
        assert list(tmp_path.iterdir()) == []  # nobody else sees it, and it ends with the process
        np.testing.assert_array_equal(vectors, one.vectors(encoded))
    del vectors
    gc.collect()
    assert f"{tmp_path}/" not in Path("/proc/self/maps").read_text()


def test_no_thread_releases_pages_where_the_system_has_no_such_advice(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_DONTNEED")
    monkeypatch.setattr(vector_batches, "Thread", None)
    one = embedder()
    encoded = one.encode_token_lists([["word"] * 50])
    with held_vectors(one, encoded, VectorSizes(20 * VECTOR_BYTES, VECTOR_BYTES, 40 * VECTOR_BYTES)) as vectors:
        np.testing.assert_array_equal(vectors, one.vectors(encoded))


@pytest.fixture
def row_for_a_file():
    """An embedder, the tokens of a row, and sizes with which its vectors wait in a file."""
    one = embedder()
    return one, one.encode_token_lists([["word"] * 3]), VectorSizes(VECTOR_BYTES, VECTOR_BYTES, 0)


@LINUX
def test_a_folder_that_is_full_is_named(tmp_path, monkeypatch, row_for_a_file):
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the code under test closes it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with (
        pytest.raises(InferenceError, match=rf"memoryBudgetMb .* {tmp_path}, .*, is full: .*No space left"),
        held_vectors(*row_for_a_file),
    ):
        pass


@LINUX
def test_a_folder_that_cannot_be_used_is_named_and_not_called_full(monkeypatch, row_for_a_file):
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "")
    monkeypatch.setattr(tempfile, "tempdir", "/proc/self")
    with (
        pytest.raises(InferenceError, match=r"/proc/self, where they would wait, cannot be used: ") as raised,
        held_vectors(*row_for_a_file),
    ):
        pass
    assert isinstance(raised.value.__cause__, OSError), "with a cause it is not an error of the row"


def test_an_error_of_the_model_is_not_one_of_the_file(monkeypatch, row_for_a_file):
    error = OSError(5, "Input/output error")

    def fail(*_):
        raise error

    monkeypatch.setattr(Embedder, "vectors", fail)
    with pytest.raises(OSError, match="Input/output error") as raised, held_vectors(*row_for_a_file):
        pass
    assert raised.value is error
