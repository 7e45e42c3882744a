"""The model inside the package: whole, small, equal to its checkpoint, and worth looking at."""

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sparkalbert import WordEmbedder
from sparkalbert.bundle import find_model
from sparkalbert.convert import verify_bundle
from sparkalbert.distill.evaluation import embed_with, sense_accuracy
from sparkalbert.distill.packing import pack
from sparkalbert.inference.session import EncoderSession, SessionOptions

NAME = "albert_mini_en"
CHECKPOINT = Path(__file__).parents[1] / "data" / NAME
LEAST_SENSES = 0.8
LEAST_KINDS = 0.9
LEAST_TOPICS = 0.8
LARGEST_BYTES = 10_000_000
SHOWN = json.loads(files("sparkalbert.cli").joinpath("picture.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def embedder():
    return WordEmbedder.load(NAME, threads=2)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_it_is_small_whole_and_has_its_card():
    bundle = find_model(NAME)
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= LARGEST_BYTES
    assert bundle.manifest.note == ""
    card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    for told in ("Licence:", "## What it is not", "## Figures", "## Data", "seed"):
        assert told in card
    assert verify_bundle(bundle).max_abs_error <= 1e-5


def test_it_is_what_its_checkpoint_converts_to(tmp_path):
    embedded, packed = find_model(NAME), pack(CHECKPOINT, tmp_path / NAME)
    assert set(embedded.manifest.files) == set(packed.manifest.files)
    # The graph says which version of onnx wrote it; everything else is the same to the byte.
    for name in set(packed.manifest.files) - {"model.onnx"}:
        assert embedded.manifest.files[name] == packed.manifest.files[name], name
    assert verify_bundle(embedded, against=CHECKPOINT).max_abs_error <= 1e-5
    for text in ("The river bank was muddy.", "Unbelievable!"):
        (one,), (other,) = (WordEmbedder.load(bundle.path).embed([text]) for bundle in (embedded, packed))
        np.testing.assert_array_equal(one.vectors, other.vectors)


def test_uses_of_a_word_lie_nearer_to_those_in_the_same_sense():
    assert sense_accuracy(embed_with(NAME, threads=2)) >= LEAST_SENSES


def test_words_alone_lie_near_words_of_their_kind(embedder):
    kinds = [kind for kind, words in SHOWN["words"].items() for _ in words]
    words = [word for group in SHOWN["words"].values() for word in group]
    vectors = unit(np.concatenate([found.vectors for found in embedder.embed(words)]))
    assert vectors.shape == (len(words), embedder.dimension)
    assert nearest_is_alike(vectors, kinds) >= LEAST_KINDS


def test_sentences_lie_near_sentences_of_their_topic(embedder):
    topics = [topic for topic, texts in SHOWN["topics"].items() for _ in texts]
    texts = [text for group in SHOWN["topics"].values() for text in group]
    vectors = unit(np.stack([found.vectors.mean(axis=0) for found in embedder.embed(texts)]))
    assert nearest_is_alike(vectors, topics) >= LEAST_TOPICS


def nearest_is_alike(vectors, names):
    """Share of rows whose nearest other row has the same name."""
    cosines = vectors @ vectors.T
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
def test_related_words_lie_nearer_than_unrelated_ones(embedder, word, nearer, farther):
    one, two, three = (unit(found.vectors[0]) for found in embedder.embed([word, nearer, farther]))
    assert one @ two > one @ three + 0.1


@pytest.mark.reference
@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("transformers") is None, reason="needs torch and transformers"
)
def test_hugging_face_loads_the_checkpoint_and_agrees_on_every_layer(embedder):
    import torch
    from transformers import AlbertModel

    model, notes = AlbertModel.from_pretrained(CHECKPOINT, add_pooling_layer=False, output_loading_info=True)
    assert not notes["missing_keys"]
    assert not notes["unexpected_keys"]
    texts = [text for senses in SHOWN["senses"].values() for group in senses.values() for text in group]
    tokenizer = embedder.tokenizer
    rows = [[tokenizer.cls_id, *tokenizer.encode(text).ids.tolist(), tokenizer.sep_id] for text in texts]
    width = max(map(len, rows))
    ids = np.array([row + [tokenizer.pad_id] * (width - len(row)) for row in rows])
    mask = (np.arange(width) < np.array([len(row) for row in rows])[:, None]).astype(np.int64)
    with torch.inference_mode():
        told = model.eval()(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), output_hidden_states=True
        ).hidden_states
    session = EncoderSession(find_model(NAME), SessionOptions(threads=2))
    for layer, expected in enumerate(told):
        found = session.run(ids, mask, np.eye(len(told), dtype=np.float32)[layer])
        np.testing.assert_allclose(found[mask == 1], expected.numpy()[mask == 1], rtol=0, atol=1e-5)
