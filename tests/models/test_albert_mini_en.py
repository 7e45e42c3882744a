"""The model inside the package: complete, small, equal to its checkpoint, and of useful quality."""

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from conf.albert_mini_en.figures import SENSES, embed_with, sense_accuracy
from conf.albert_mini_en.packing import pack
from sparkalbert import WordEmbedder
from sparkalbert.convert import verify_bundle
from sparkalbert.inference.batching import pad
from sparkalbert.inference.session import EncoderSession, SessionOptions
from sparkalbert.models import find_model
from sparkalbert.text import PieceTokenizer
from sparkalbert.vectors import cosine_similarity

NAME = "albert_mini_en"
CHECKPOINT = Path(__file__).parents[1] / "data" / NAME
MIN_SENSES = 0.85
MIN_KINDS = 0.9
MIN_TOPICS = 0.8
MAX_BYTES = 10_000_000
SHOWN = json.loads(files("sparkalbert.cli").joinpath("picture.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def embedder():
    return WordEmbedder.load(NAME, threads=2)


def test_it_is_small_and_complete_and_has_its_card():
    bundle = find_model(NAME)
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= MAX_BYTES
    assert bundle.manifest.note == ""
    card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    for content in ("Licence:", "## What it is not", "## Figures", "## Data", "seed"):
        assert content in card
    assert verify_bundle(bundle).max_abs_error <= 1e-5


def test_it_is_the_converted_checkpoint(tmp_path):
    embedded, packed = find_model(NAME), pack(CHECKPOINT, tmp_path / NAME)
    assert set(embedded.manifest.files) == set(packed.manifest.files)
    # The graph records the version of onnx that wrote it; all other files are the same to the byte.
    for name in set(packed.manifest.files) - {"model.onnx"}:
        assert embedded.manifest.files[name] == packed.manifest.files[name], name
    assert verify_bundle(embedded, against=CHECKPOINT).max_abs_error <= 1e-5
    for text in ("The river bank was muddy.", "Unbelievable!"):
        (first,), (second,) = (WordEmbedder.load(bundle.path).embed([text]) for bundle in (embedded, packed))
        np.testing.assert_array_equal(first.vectors, second.vectors)


@pytest.mark.parametrize("path", SENSES.values(), ids=SENSES)
def test_uses_of_a_word_are_nearest_to_uses_in_the_same_sense(path):
    assert sense_accuracy(embed_with(NAME, threads=2), path) >= MIN_SENSES


def test_single_words_are_nearest_to_words_of_their_kind(embedder):
    kinds = [kind for kind, words in SHOWN["words"].items() for _ in words]
    words = [word for group in SHOWN["words"].values() for word in group]
    vectors = np.concatenate([embedded.vectors for embedded in embedder.embed(words)])
    assert vectors.shape == (len(words), embedder.dimension)
    assert share_of_nearest_with_same_name(vectors, kinds) >= MIN_KINDS


def test_sentences_are_nearest_to_sentences_of_their_topic(embedder):
    topics = [topic for topic, texts in SHOWN["topics"].items() for _ in texts]
    texts = [text for group in SHOWN["topics"].values() for text in group]
    vectors = np.stack([embedded.vectors.mean(axis=0) for embedded in embedder.embed(texts)])
    assert share_of_nearest_with_same_name(vectors, topics) >= MIN_TOPICS


def share_of_nearest_with_same_name(vectors, names):
    cosines = cosine_similarity(vectors, vectors)
    np.fill_diagonal(cosines, -1)
    return np.mean([names[row] == names[nearest] for row, nearest in enumerate(cosines.argmax(axis=1))])


@pytest.mark.parametrize(
    ("word", "nearer", "farther"),
    [
        ("dog", "cat", "contract"),
        ("bread", "butter", "bridge"),
        ("doctor", "nurse", "guitar"),
        ("king", "queen", "keyboard"),
        ("river", "stream", "salary"),
        ("walk", "run", "sulphur"),
        ("happy", "glad", "square"),
    ],
)
def test_related_words_are_nearer_than_unrelated_words(embedder, word, nearer, farther):
    vectors = np.concatenate([embedded.vectors[:1] for embedded in embedder.embed([word, nearer, farther])])
    related, unrelated = cosine_similarity(vectors[:1], vectors[1:])[0]
    assert related > unrelated + 0.1


@pytest.mark.reference
@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("transformers") is None, reason="needs torch and transformers"
)
def test_hugging_face_loads_the_checkpoint_and_agrees_on_every_layer():
    import torch
    from transformers import AlbertModel

    model, notes = AlbertModel.from_pretrained(CHECKPOINT, add_pooling_layer=False, output_loading_info=True)
    assert not notes["missing_keys"]
    assert not notes["unexpected_keys"]
    texts = [text for senses in SHOWN["senses"].values() for group in senses.values() for text in group]
    tokenizer = PieceTokenizer.load(CHECKPOINT)
    sequences = [np.array([tokenizer.cls_id, *tokenizer.encode(text).ids, tokenizer.sep_id]) for text in texts]
    ids, mask = pad(sequences, tokenizer.pad_id)
    with torch.inference_mode():
        expected = model.eval()(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), output_hidden_states=True
        ).hidden_states
    session = EncoderSession(find_model(NAME), SessionOptions(threads=2))
    for layer, states in enumerate(expected):
        computed = session.run(ids, mask, np.eye(len(expected), dtype=np.float32)[layer])
        np.testing.assert_allclose(computed[mask == 1], states.numpy()[mask == 1], rtol=0, atol=1e-5)
