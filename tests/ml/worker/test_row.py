"""One row planned: whose tokens are whose, and which of them Spark NLP would show."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.inference import EmbedderOptions, VectorOptions, WordEmbedder
from sparkalbert.ml.worker.row import NOWHERE, Annotations, plan_row
from tests import tiny_bundle

WORDS = st.sampled_from(["the", "lighthouse", "9,000", "\u200b", "İ", "well-known", "🙂", "a", "xyz"])


def embedder(max_sentence_length=128):
    options = EmbedderOptions(
        encoding="token", vectors=VectorOptions(max_sentence_length=max_sentence_length)
    )
    return WordEmbedder(tiny_bundle.bundle(), options)


def row_of(sentences):
    """A row of sentences given as words: its sentence and token annotations."""
    texts = [" ".join(words) for words in sentences]
    begins = np.cumsum([0] + [2 * len(text) + 1 for text in texts])[:-1].tolist()
    tokens = [
        (begin + 2 * place, begin + 2 * place, word)
        for begin, words in zip(begins, sentences, strict=True)
        for place, word in enumerate(words)
    ]
    ends = [begin + 2 * len(words) for begin, words in zip(begins, sentences, strict=True)]
    return Annotations(begins, ends, texts), Annotations(*map(list, zip(*tokens, strict=True)))


@given(st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=4), st.integers(3, 20))
def test_spark_nlps_words_are_a_prefix_less_those_without_a_piece(sentences, longest):
    one = embedder(longest)
    plan = plan_row(one, *row_of(sentences), as_spark_nlp=True)
    expected, before = [], 0
    for words in sentences:
        pieces = 0
        for place, word in enumerate(words[: longest - 2]):
            count = len(one.tokenizer.encode_token(word))
            # The row of [SEP], at longest - 2, goes to a word that begins there.
            if count and pieces <= longest - 2:
                expected.append(before + place)
            pieces += count
        before += len(words)
    assert plan.shown.tolist() == expected
    words = [word for words in sentences for word in words]
    first = [one.tokenizer.encode_token(words[place]).ids[0] for place in expected]
    assert plan.piece[plan.shown].tolist() == first


@given(st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=4), st.integers(3, 20))
def test_by_default_every_token_is_shown(sentences, longest):
    plan = plan_row(embedder(longest), *row_of(sentences))
    assert plan.shown.tolist() == list(range(sum(map(len, sentences))))
    assert (plan.vector == plan.shown).all()


def test_a_word_at_the_place_of_sep_has_the_vector_of_sep():
    one = embedder(4)
    words = ["lighthouse", "the", "a"]
    assert [len(one.tokenizer.encode_token(word)) for word in words] == [2, 1, 1]
    plan = plan_row(one, *row_of([words]), as_spark_nlp=True)
    assert plan.shown.tolist() == [0, 1]
    ids = np.concatenate([[2], one.tokenizer.encode_token("lighthouse").ids, [3]])[None]
    last_layer = np.array([0, 0, 0, 1], dtype=np.float32)
    rows = one._engine.session.run(ids, np.ones_like(ids), last_layer)[0]
    np.testing.assert_array_equal(one.vectors(plan.sentences)[plan.vector[plan.shown]], rows[[1, 3]])


def test_tokens_outside_every_sentence_are_not_shown():
    sentences, tokens = row_of([["the", "a"]])
    inside = Annotations([sentences.begin[0] + 2], list(sentences.end), ["a"])
    assert plan_row(embedder(), inside, tokens, as_spark_nlp=True).shown.tolist() == [1]
    plan = plan_row(embedder(), inside, tokens)
    assert plan.shown.tolist() == [0, 1]
    assert plan.vector.tolist() == [NOWHERE, 0]
