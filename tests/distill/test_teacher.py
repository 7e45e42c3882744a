import shutil

import numpy as np
import pytest

from sparkalbert.errors import CheckpointError, ParamError
from sparkalbert.offsets import Span, span_array
from sparkalbert.vectors import unit_vectors
from tests.distill.conftest import needs_torch

pytestmark = needs_torch

TEXTS = ["so it is, you see", "no", "a much longer text than the others: forty letters or more of it"]


@pytest.fixture(scope="module")
def teacher(teacher_folder):
    import torch

    from sparkalbert.distill.teacher import Teacher

    return Teacher(teacher_folder, torch.device("cpu"))


def hidden(folder, text):
    import torch
    from transformers import AutoModel, AutoTokenizer

    coded = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        return AutoModel.from_pretrained(folder).eval()(**coded).last_hidden_state[0].numpy()


NO_WORDS = span_array([])


def test_a_text_vector_is_the_mean_of_its_pieces(teacher, teacher_folder):
    expected = unit_vectors(np.stack([hidden(teacher_folder, text).mean(axis=0) for text in TEXTS]))
    np.testing.assert_allclose(teacher.embed(TEXTS), expected, atol=0.02)  # bf16 has 8 bits


def test_a_word_vector_is_the_mean_of_the_words_pieces(teacher, teacher_folder):
    # Every letter is a piece: after [CLS] come s o i t i s , ...
    spans = span_array([Span(0, 2), Span(3, 5), Span(6, 8), Span(8, 9)])
    _, (words, *_) = teacher.embed_words(TEXTS, [spans, NO_WORDS, NO_WORDS])
    pieces = hidden(teacher_folder, TEXTS[0])[1:]
    means = [pieces[start:stop].mean(axis=0) for start, stop in ((0, 2), (2, 4), (4, 6), (6, 7))]
    np.testing.assert_allclose(words, unit_vectors(np.stack(means)), atol=0.02)


def test_texts_without_words_have_empty_arrays(teacher):
    _, words = teacher.embed_words(TEXTS, [NO_WORDS] * 3)
    assert [rows.shape for rows in words] == [(0, 32)] * 3


def test_the_vector_of_a_truncated_word_is_zero(teacher):
    text = "ab " * 200
    spans = span_array([Span(3 * index, 3 * index + 2) for index in range(200)])
    _, (words,) = teacher.embed_words([text], [spans])
    norms = np.linalg.norm(words, axis=1)
    np.testing.assert_allclose(norms[:127], 1, atol=1e-4)
    np.testing.assert_array_equal(norms[127:], 0)


def test_a_folder_without_a_teacher_is_refused(tmp_path):
    import torch

    from sparkalbert.distill.teacher import Teacher

    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        Teacher(tmp_path, torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"damaged"), ("config.json", b"{"), ("tokenizer.json", b"{")]
)
def test_a_damaged_teacher_is_refused(teacher_folder, tmp_path, name, content):
    import torch

    from sparkalbert.distill.teacher import Teacher

    folder = tmp_path / "teacher"
    shutil.copytree(teacher_folder, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="transformers cannot load the teacher"):
        Teacher(folder, torch.device("cpu"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_is_one_of_this_machine(name):
    from sparkalbert.distill.teacher import device_of

    if name:
        with pytest.raises(ParamError, match=f"device is '{name}', expected cpu, cuda or cuda:N"):
            device_of(name)
    else:
        assert device_of(name).type in {"cpu", "cuda"}
