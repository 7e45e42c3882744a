import numpy as np
import pytest

from tests import tiny_vocabulary
from tests.distill.conftest import needs_torch

pytestmark = needs_torch

TEXTS = [
    "The old man walked home.",
    'She said: "it isn\'t 3.5 (or so)", then\tleft -- at once!',
    "the  old man, the old house",
    "word " * 200,
    "\u200b",
]


@pytest.fixture(scope="module")
def teacher(teacher_folder):
    import torch

    from sparkalbert.distill.teacher import Teacher

    return Teacher(teacher_folder, torch.device("cpu"))


@pytest.fixture(scope="module")
def tokenizer():
    from sparkalbert.text import PieceTokenizer

    return PieceTokenizer(tiny_vocabulary.model_bytes())


@pytest.fixture(scope="module")
def encoded(teacher, tokenizer):
    from sparkalbert.distill.encoded import encode_texts

    return encode_texts(TEXTS, teacher, tokenizer)


def batch_of_all(encoded):
    from sparkalbert.distill.batches import Batches, BatchOptions

    options = BatchOptions(short_repeats=0, repeated_share=0.0)
    (batch,) = Batches(encoded, options).epoch(0)
    return batch


def test_a_batch_holds_what_inference_encodes(encoded, tokenizer):
    from sparkalbert.offsets import span_array
    from sparkalbert.text import WordTokenizer
    from sparkalbert.text.pieces.encoding import encode_sentence

    expected = {}
    for text in TEXTS[:3]:
        spans = span_array(WordTokenizer().tokenize(text))
        sentence = encode_sentence(tokenizer, text, spans)
        ids = (tokenizer.cls_id, *sentence.ids.tolist(), tokenizer.sep_id)
        expected[ids] = (sentence.ranges[:, 0] + 1).tolist()
    batch = batch_of_all(encoded)
    found = {
        tuple(batch.ids[row][batch.mask[row]].tolist()): batch.word_positions[batch.word_rows == row].tolist()
        for row in range(len(batch.ids))
    }
    assert found == expected
    assert batch.word_pieces.equal(batch.ids[batch.word_rows, batch.word_positions])


def test_the_targets_of_a_batch_are_the_teachers_vectors(encoded, teacher):
    from sparkalbert.offsets import span_array
    from sparkalbert.text import WordTokenizer

    spans = [span_array(WordTokenizer().tokenize(text)) for text in TEXTS[:3]]
    sentences, words = teacher.embed_words(TEXTS[:3], spans)
    batch = batch_of_all(encoded)
    targets = teacher.targets(batch)
    order = [int(np.argmax(targets.sentences.numpy() @ sentence)) for sentence in sentences]
    assert sorted(order) == [0, 1, 2]
    for row, sentence, vectors in zip(order, sentences, words, strict=True):
        np.testing.assert_allclose(targets.sentences[row], sentence, atol=0.02)  # bf16 has 8 bits
        np.testing.assert_allclose(targets.words[batch.word_rows == row], vectors, atol=0.02)


def test_every_chunk_is_encoded_once(encoded):
    chunks = [text.split() for text in TEXTS[:3]]
    assert encoded.chunk_counts.tolist() == [len(words) for words in chunks]
    numbers = dict(zip((chunk for words in chunks for chunk in words), encoded.chunks.tolist(), strict=True))
    assert encoded.chunks.tolist() == [numbers[chunk] for words in chunks for chunk in words]
    assert len(set(numbers.values())) == len(numbers)


def test_encoded_texts_are_read_as_they_were_written(encoded, tmp_path):
    from sparkalbert.distill.encoded import EncodedTexts

    encoded.save(tmp_path / "texts.npz")
    loaded = EncodedTexts.load(tmp_path / "texts.npz")
    for name in EncodedTexts.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(encoded, name))
    assert [path.name for path in tmp_path.iterdir()] == ["texts.npz"]


@pytest.mark.parametrize("kept_bytes", [0, 10, 400, -10])
def test_a_damaged_file_is_named(encoded, tmp_path, kept_bytes):
    from sparkalbert.distill.encoded import EncodedTexts
    from sparkalbert.errors import CheckpointError

    path = tmp_path / "texts.npz"
    encoded.save(path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"texts\.npz is damaged .*Delete it"):
        EncodedTexts.load(path)


def test_texts_that_cannot_be_learned_from_are_refused(teacher, tokenizer):
    from sparkalbert.distill.encoded import encode_texts
    from sparkalbert.errors import InputError

    with pytest.raises(InputError, match="None of 3 texts has a word and at most 160 pieces"):
        encode_texts(["word " * 200] * 3, teacher, tokenizer)
