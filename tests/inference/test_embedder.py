import numpy as np
import pytest

from sparkalbert.errors import ParamError
from sparkalbert.inference import Embedder, EmbedderOptions, LoadedModel, VectorOptions
from sparkalbert.offsets import Span, span_array
from sparkalbert.text.pieces.encoding import encode_tokens
from tests import tiny_bundle

TEXT, SPANS = "The River was", span_array([Span(0, 3), Span(4, 9), Span(10, 13)])


@pytest.fixture(scope="module")
def model():
    options = EmbedderOptions()
    return LoadedModel.load(tiny_bundle.bundle(), options.session)


def test_a_sentence_is_encoded_as_a_whole(model):
    (encoded,) = Embedder(model, EmbedderOptions()).encode_sentences([TEXT], [SPANS])
    np.testing.assert_array_equal(encoded.ids, model.tokenizer.encode(TEXT).ids)
    assert len(encoded.ranges) == 3


@pytest.mark.parametrize("case_sensitive", [False, True])
def test_tokens_are_encoded_one_by_one(model, case_sensitive):
    embedder = Embedder(model, EmbedderOptions(encoding="token", case_sensitive=case_sensitive))
    expected = encode_tokens(model.tokenizer, ["The", "River", "was"], case_sensitive=case_sensitive)
    for (encoded,) in (
        embedder.encode_sentences([TEXT], [SPANS]),
        embedder.encode_token_lists([["The", "River", "was"]]),
    ):
        np.testing.assert_array_equal(encoded.ids, expected.ids)
        np.testing.assert_array_equal(encoded.ranges, expected.ranges)


def test_a_list_of_tokens_is_their_sentence(model):
    embedder = Embedder(model, EmbedderOptions(vectors=VectorOptions("first_last")))
    from_text = embedder.vectors(embedder.encode_sentences([TEXT], [SPANS]))
    from_tokens = embedder.vectors(embedder.encode_token_lists([TEXT.split()]))
    np.testing.assert_array_equal(from_text, from_tokens)
    assert from_text.shape == (3, embedder.dimension) == (3, 64)


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ParamError) as caught:
        EmbedderOptions(encoding="word")
    assert str(caught.value) == "encoding is 'word', expected one of sentence, token."
