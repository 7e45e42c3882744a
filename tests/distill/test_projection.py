import numpy as np
import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


def test_the_projection_preserves_cosines(teacher_folder):
    import torch

    from sparkalbert.distill.projection import fit_projection
    from sparkalbert.distill.teacher import Teacher

    teacher = Teacher(teacher_folder, torch.device("cpu"))
    texts = [f"text number {index} of this test" for index in range(60)]
    projection = fit_projection(teacher, texts, 32)
    vectors = teacher.embed(texts)
    projected = vectors @ projection
    np.testing.assert_allclose(projected @ projected.T, vectors @ vectors.T, atol=1e-4)
    narrower = vectors @ fit_projection(teacher, texts, 20)
    assert np.abs(narrower @ narrower.T - vectors @ vectors.T).max() < 0.2


@pytest.mark.parametrize("kept_bytes", [0, 10, -10])
def test_a_damaged_projection_is_named(tmp_path, kept_bytes):
    from sparkalbert.distill.projection import load_projection
    from sparkalbert.errors import CheckpointError

    path = tmp_path / "projection.npy"
    np.save(path, np.eye(4, dtype=np.float32))
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"projection\.npy is damaged .*Delete it"):
        load_projection(path)
