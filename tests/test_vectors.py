import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparkalbert.errors import ParamError
from sparkalbert.vectors import binary_to_numpy, cosine_similarity, group_means, unit_vectors

matrices = hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(4)), elements=st.integers(-9, 9).map(float))


@given(matrices)
def test_vectors_are_scaled_to_length_one(vectors):
    lengths = np.linalg.norm(unit_vectors(vectors), axis=1)
    np.testing.assert_allclose(lengths, vectors.any(axis=1), atol=1e-6)


@given(matrices, matrices)
def test_cosines_are_those_of_each_pair(first, second):
    found = cosine_similarity(first, second)
    assert found.shape == (len(first), len(second))
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            lengths = np.linalg.norm(one) * np.linalg.norm(other)
            assert found[row, column] == pytest.approx(one @ other / lengths if lengths else 0, abs=1e-6)


@given(matrices, st.randoms())
def test_the_mean_of_each_group(vectors, random):
    group = np.array([random.randrange(4) for _ in vectors], dtype=np.int64)
    found = group_means(vectors, group, 5)
    assert found.dtype == np.float32
    for number, mean in enumerate(found):
        members = vectors[group == number]
        expected = members.mean(axis=0, dtype=np.float64) if len(members) else np.zeros(4)
        np.testing.assert_array_equal(mean, expected.astype(np.float32))


def test_a_mean_does_not_depend_on_other_groups():
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    group = np.arange(50) % 3
    together = group_means(vectors, group, 3)
    for number in range(3):
        alone = group_means(vectors[group == number], np.zeros(np.sum(group == number), dtype=np.int64), 1)
        assert np.array_equal(together[number], alone[0])


def cancelling(size, dimension, random):
    """Vectors whose sum is a rest of rounding, which depends on the order of the additions."""
    half = random.normal(size=(size // 2, dimension)) * 10.0 ** random.integers(-12, 13, (size // 2, dimension))
    return random.permutation(np.concatenate([half, -half, np.zeros((size % 2, dimension))])).astype(np.float32)


@pytest.mark.parametrize("dimension", [1, 15, 16, 17, 300])
@pytest.mark.parametrize(
    "sizes",
    [[], [0, 0], [1], [2, 0, 9, 0], [128, 129, 130], [600, 1, 513, 512, 511, 0], [3000, 2], [*range(40)] * 2],
)
def test_means_have_the_bits_of_one_sum_of_all_vectors(sizes, dimension):
    random = np.random.default_rng(0)
    vectors = np.zeros((0, dimension), dtype=np.float32)
    vectors = np.concatenate([vectors, *(cancelling(size, dimension, random) for size in sizes)])
    counts = np.array(sizes, dtype=np.int64)
    group, filled = np.repeat(np.arange(len(counts)), counts), counts > 0
    expected = np.zeros((len(counts), dimension))
    if filled.any():
        starts = (np.cumsum(counts) - counts)[filled]
        expected[filled] = np.add.reduceat(vectors, starts, axis=0, dtype=np.float64) / counts[filled, None]
    expected = expected.astype(np.float32).tobytes()
    assert group_means(vectors, group, len(counts)).tobytes() == expected
    shuffled = random.permutation(len(vectors))
    places = np.argsort(shuffled)
    assert group_means(vectors[shuffled], group, len(counts), places).tobytes() == expected
    by_group = np.argsort(group[shuffled], kind="stable")
    in_groups = group_means(vectors[shuffled][by_group], group, len(counts))
    assert group_means(vectors[shuffled], group[shuffled], len(counts)).tobytes() == in_groups.tobytes()


@pytest.mark.parametrize("in_order", [True, False])
def test_a_large_group_is_not_held_twice(in_order):
    vectors = np.ones((20_000, 256), dtype=np.float32)
    group, rows = np.zeros(len(vectors), dtype=np.int64), None if in_order else np.arange(len(vectors))[::-1]
    tracemalloc.start()
    try:
        means = group_means(vectors, group, 1, rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert means.tolist() == [[1.0] * 256]
    assert peak < vectors.nbytes / 2


@given(matrices)
def test_bytes_become_the_vectors_they_are_of(vectors):
    found = binary_to_numpy(vector.tobytes() for vector in vectors)
    assert found.dtype == np.float32
    assert found.flags.writeable
    np.testing.assert_array_equal(found, vectors if len(vectors) else np.zeros((0, 0)))


@pytest.mark.parametrize("parts", [[bytes(8), bytes(4)], [bytes(6)]])
def test_bytes_of_no_vectors(parts):
    with pytest.raises(ParamError, match="expected one length, a multiple of 4"):
        binary_to_numpy(parts)
