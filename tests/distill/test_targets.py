import numpy as np

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


def test_a_shard_survives_the_disk(tmp_path):
    from sparkalbert.distill.targets import Shard

    shard = Shard(
        ids=np.array([2, 7, 8, 3], dtype=np.int32),
        lengths=np.array([4], dtype=np.int32),
        first_pieces=np.array([1, 2], dtype=np.int32),
        word_counts=np.array([2], dtype=np.int32),
        word_vectors=np.arange(16, dtype=np.float16).reshape(2, 8),
        sentences=np.arange(12, dtype=np.float16).reshape(1, 12),
    )
    shard.save(tmp_path / "shard-00000.npz")
    loaded = Shard.load(tmp_path / "shard-00000.npz")
    for name in Shard.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(shard, name))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000.npz"]


def test_the_projection_keeps_cosines(teacher_folder):
    import torch

    from sparkalbert.distill.targets import fit_projection
    from sparkalbert.distill.teacher import Teacher

    teacher = Teacher(teacher_folder, torch.device("cpu"))
    texts = [f"text number {index} of this test" for index in range(60)]
    projection = fit_projection(teacher, texts, 32)
    vectors = teacher.embed(texts)
    turned = vectors @ projection
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-4)
    narrower = vectors @ fit_projection(teacher, texts, 20)
    assert np.abs(narrower @ narrower.T - vectors @ vectors.T).max() < 0.2
