import numpy as np
import pytest

from sparkalbert.annotations import Span
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


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_a_text_vector_is_the_mean_of_its_pieces(teacher, teacher_folder):
    found = teacher.embed(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        # bf16 has 8 bits.
        np.testing.assert_allclose(row, unit(hidden(teacher_folder, text).mean(axis=0)), atol=0.02)


def test_a_word_vector_is_the_mean_of_the_words_pieces(teacher, teacher_folder):
    # Every letter is a piece: after [CLS] come s o i t i s , ...
    spans = [Span(0, 2), Span(3, 5), Span(6, 8), Span(8, 9)]
    _, (words, *_) = teacher.embed_words(TEXTS, [spans, [], []])
    pieces = hidden(teacher_folder, TEXTS[0])[1:]
    expected = [unit(pieces[start:stop].mean(axis=0)) for start, stop in ((0, 2), (2, 4), (4, 6), (6, 7))]
    np.testing.assert_allclose(words, expected, atol=0.02)


def test_texts_without_words_have_empty_arrays(teacher):
    _, words = teacher.embed_words(TEXTS, [[], [], []])
    assert [rows.shape for rows in words] == [(0, 32)] * 3


def test_a_word_the_teacher_cuts_off_is_zero(teacher):
    text = "ab " * 200
    spans = [Span(3 * index, 3 * index + 2) for index in range(200)]
    _, (words,) = teacher.embed_words([text], [spans])
    norms = np.linalg.norm(words, axis=1)
    np.testing.assert_allclose(norms[:127], 1, atol=1e-4)
    np.testing.assert_array_equal(norms[127:], 0)
