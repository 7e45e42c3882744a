"""Rows planned: which token belongs to which sentence, and which tokens Spark NLP would show."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.errors import ColumnError
from sparkalbert.inference import EmbedderOptions, SessionOptions, VectorOptions
from sparkalbert.inference.embedder import Embedder
from sparkalbert.inference.model import MODELS
from sparkalbert.ml.worker import sentence_plan
from sparkalbert.ml.worker.sentence_plan import NOWHERE, SpanRows, plan_rows
from sparkalbert.offsets import utf16_length
from tests import tiny_bundle

WORDS = st.sampled_from(["the", "lighthouse", "9,000", "\u200b", "İ", "well-known", "🙂", "a", "xyz"])
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=4)


def embedder(max_sentence_length=128, encoding="token"):
    options = EmbedderOptions(encoding=encoding, vectors=VectorOptions(max_sentence_length=max_sentence_length))
    bundle = tiny_bundle.bundle()
    return Embedder(MODELS.get(bundle.digest, SessionOptions(), bundle.verify), options)


def span_rows(rows):
    """Annotations from rows of (begin, end, result, sentence)."""
    columns = [[[one[place] for one in row] for row in rows] for place in range(4)]
    kinds = [pa.int32(), pa.int32(), pa.string(), pa.string()]
    return SpanRows.of(*(pa.array(column, pa.list_(kind)) for column, kind in zip(columns, kinds, strict=True)))


def annotated(sentences, begin=0, first_number=0):
    """A document of sentences given as words: its sentence and its token annotations."""
    texts, tokens = [], []
    for number, words in enumerate(sentences, start=first_number):
        text = " ".join(words)
        texts.append((begin, begin + utf16_length(text) - 1, text, str(number)))
        for word in words:
            tokens.append((begin, begin + utf16_length(word) - 1, word, str(number)))
            begin += utf16_length(word) + 1
    return texts, tokens


def planned(one, *documents, **options):
    """The plan for rows of one document each."""
    sentences, tokens = zip(*documents, strict=True)
    return plan_rows(one, span_rows(sentences), span_rows(tokens), **options)


@given(st.lists(SENTENCES, min_size=1, max_size=3), st.integers(3, 20))
def test_spark_nlps_words_are_a_prefix_without_those_that_have_no_piece(documents, longest):
    one = embedder(longest)
    plan = planned(one, *(annotated(sentences) for sentences in documents), as_spark_nlp=True)
    encode = one.model.tokenizer.encode_token
    expected, before, first = [], 0, []
    for words in [words for sentences in documents for words in sentences]:
        pieces = 0
        for place, word in enumerate(words[: longest - 2]):
            count = len(encode(word))
            # The row of [SEP], at longest - 2, goes to a word that begins there.
            if count and pieces <= longest - 2:
                expected.append(before + place)
                first.append(encode(word).ids[0])
            pieces += count
        before += len(words)
    assert plan.token.tolist() == expected
    assert plan.piece.tolist() == first


@given(st.lists(SENTENCES, min_size=1, max_size=3), st.integers(3, 20), st.sampled_from(["token", "sentence"]))
def test_by_default_every_token_is_in_its_sentence(documents, longest, encoding):
    plan = planned(embedder(longest, encoding), *(annotated(sentences) for sentences in documents))
    words = [(number, word) for sentences in documents for number, part in enumerate(sentences) for word in part]
    assert plan.token.tolist() == list(range(len(words)))
    assert plan.sentence.tolist() == [number for number, _ in words]
    assert plan.vector.tolist() == list(range(len(words)))


@given(SENTENCES, st.integers(1, 30), st.booleans())
def test_sentences_are_encoded_in_parts_with_the_same_plan(sentences, limit, are_changed):
    """However many tokens a row has, the spans and words of a part are held."""
    texts, tokens = annotated(sentences)
    if are_changed:  # by a stage in between: every third token is encoded as a word
        tokens = [(*one[:2], "xyz", one[3]) if place % 3 == 0 else one for place, one in enumerate(tokens)]
    one, sizes, encode = embedder(encoding="sentence"), [], sentence_plan._encode_part
    whole = planned(one, (texts, tokens))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentence_plan, "_PART_TOKENS", limit)
        counted = lambda *given: sizes.append([len(part) for _, part in given[3]]) or encode(*given)  # noqa: E731
        patch.setattr(sentence_plan, "_encode_part", counted)
        parts = planned(one, (texts, tokens))
    assert [size for part in sizes for size in part] == [len(words) for words in sentences]
    assert all(len(part) == 1 or sum(part) <= limit for part in sizes)
    for found, expected in zip(parts.sentences, whole.sentences, strict=True):
        assert (found.ids.tolist(), found.ranges.tolist()) == (expected.ids.tolist(), expected.ranges.tolist())
    assert parts.piece.tolist() == whole.piece.tolist()


@given(st.lists(SENTENCES, min_size=2, max_size=3))
def test_in_a_row_of_several_documents_the_sentence_number_decides(documents):
    one, parts, first = embedder(encoding="sentence"), [], 0
    for sentences in documents:
        parts.append(annotated(sentences, first_number=first))
        first += len(sentences)
    together = [list(itertools.chain.from_iterable(part[side] for part in parts)) for side in (0, 1)]
    plan = planned(one, together)
    apart = planned(one, *parts)
    assert plan.sentence.tolist() == [int(token[3]) for token in together[1]]
    assert [s.ids.tolist() for s in plan.sentences] == [s.ids.tolist() for s in apart.sentences]
    assert plan.vector.tolist() == apart.vector.tolist()


def test_a_token_that_does_not_name_its_document_is_refused():
    sentences = [*annotated([["a", "the"]])[0], *annotated([["xyz", "a"]], first_number=1)[0]]
    tokens = [(0, 2, "xyz", "0")]  # sentence 0 begins with "a t"
    with pytest.raises(ColumnError, match="several documents"):
        planned(embedder(), (sentences, tokens))


def test_a_word_at_the_place_of_sep_has_the_vector_of_sep():
    one = embedder(4)
    encode = one.model.tokenizer.encode_token
    words = ["lighthouse", "the", "a"]
    assert [len(encode(word)) for word in words] == [2, 1, 1]
    plan = planned(one, annotated([words]), as_spark_nlp=True)
    assert plan.token.tolist() == [0, 1]
    ids = np.concatenate([[2], encode("lighthouse").ids, [3]])[None]
    last_layer = np.array([0, 0, 0, 1], dtype=np.float32)
    rows = one.model.session.run(ids, np.ones_like(ids), last_layer)[0]
    np.testing.assert_array_equal(one.vectors(plan.sentences)[plan.vector], rows[[1, 3]])


def test_tokens_outside_every_sentence_are_not_shown():
    ((_, end, _, number),), tokens = annotated([["the", "a"]])
    inside = ([(4, end, "a", number)], tokens)
    assert planned(embedder(), inside, as_spark_nlp=True).token.tolist() == [1]
    plan = planned(embedder(), inside)
    assert plan.token.tolist() == [0, 1]
    assert plan.sentence.tolist() == [NOWHERE, 0]
    assert plan.vector.tolist() == [NOWHERE, 0]
