import numpy as np
import pytest

from tests import tiny_vocabulary
from tests.distill.conftest import needs_torch

pytestmark = needs_torch


def shard():
    from sparkalbert.distill.targets import Shard

    return Shard(
        ids=np.array([2, 7, 8, 3], dtype=np.int32),
        lengths=np.array([4], dtype=np.int32),
        first_pieces=np.array([1, 2], dtype=np.int32),
        word_counts=np.array([2], dtype=np.int32),
        word_vectors=np.arange(16, dtype=np.float16).reshape(2, 8),
        sentences=np.arange(12, dtype=np.float16).reshape(1, 12),
    )


def test_a_shard_is_read_as_it_was_written(tmp_path):
    from sparkalbert.distill.targets import Shard

    written = shard()
    written.save(tmp_path / "shard-00000.npz")
    loaded = Shard.load(tmp_path / "shard-00000.npz")
    for name in Shard.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(written, name))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000.npz"]


def test_the_projection_preserves_cosines(teacher_folder):
    import torch

    from sparkalbert.distill.targets import fit_projection
    from sparkalbert.distill.teacher import Teacher

    teacher = Teacher(teacher_folder, torch.device("cpu"))
    texts = [f"text number {index} of this test" for index in range(60)]
    projection = fit_projection(teacher, texts, 32)
    vectors = teacher.embed(texts)
    projected = vectors @ projection
    np.testing.assert_allclose(projected @ projected.T, vectors @ vectors.T, atol=1e-4)
    narrower = vectors @ fit_projection(teacher, texts, 20)
    assert np.abs(narrower @ narrower.T - vectors @ vectors.T).max() < 0.2


@pytest.mark.parametrize("kept_bytes", [0, 10, 400, -10])
def test_a_damaged_shard_is_named(tmp_path, kept_bytes):
    from sparkalbert.distill.targets import Shard
    from sparkalbert.errors import CheckpointError

    path = tmp_path / "shard-00000.npz"
    shard().save(path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"shard-00000\.npz is damaged .*Delete it"):
        Shard.load(path)


@pytest.mark.parametrize("kept_bytes", [0, 10, -10])
def test_a_damaged_projection_is_named(tmp_path, kept_bytes):
    from sparkalbert.distill.targets import load_projection
    from sparkalbert.errors import CheckpointError

    path = tmp_path / "projection.npy"
    np.save(path, np.eye(4, dtype=np.float32))
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"projection\.npy is damaged .*Delete it"):
        load_projection(path)


def test_texts_that_cannot_be_learned_from_are_refused(tmp_path, teacher_folder):
    import torch

    from sparkalbert.distill.targets import TargetCache
    from sparkalbert.distill.teacher import Teacher
    from sparkalbert.errors import InputError
    from sparkalbert.text import PieceTokenizer

    teacher = Teacher(teacher_folder, torch.device("cpu"))
    tokenizer = PieceTokenizer(tiny_vocabulary.model_bytes())
    cache = TargetCache(tmp_path, ["word " * 200] * 3, teacher, tokenizer, np.eye(32, dtype=np.float32))
    with pytest.raises(InputError, match="None of 3 texts has a word and at most 160 pieces"):
        cache.shard(0)
