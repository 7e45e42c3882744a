"""The stages on texts on which they deliberately differ from Spark NLP; make test-peers asks it again."""

import pytest

from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    DocumentAssembler,
    LightPipeline,
    NGramGenerator,
    RegexTokenizer,
    SentenceDetector,
    TextMatcherModel,
    Tokenizer,
    TokenizerModel,
)
from sparkalbert.ml.worker.text_tasks import RegexTokenTask, SentenceTask, TokenTask
from tests import tiny_bundle
from tests.known_differences import CHUNKS, PHRASES, REGEX_TOKENS, SENTENCES, TOKENS


@pytest.mark.parametrize(
    ("stage", "inputs", "known"),
    [
        (SentenceDetector, SentenceTask.inputs[0], SENTENCES),
        (TokenizerModel, TokenTask.inputs[0], TOKENS),
        (RegexTokenizer, RegexTokenTask.inputs[0], REGEX_TOKENS),
    ],
)
def test_known_differences(annotate, stage, inputs, known):
    for text, params, real, ours in known:
        columns = [[[0]], [[text]], [["0"]]][: len(inputs)]
        (row,) = annotate(stage(**params)._task(), [field.type for field in inputs], columns)
        assert [(begin, end, result) for _, begin, end, result, _ in row] == ours != real
        assert all(result in text for *_, result in ours)


@pytest.mark.parametrize("known", CHUNKS)
def test_known_differences_of_chunks(known):
    model = str(tiny_bundle.bundle().path)
    stages = [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="embeddings"),
        NGramGenerator(inputCols=["token"], outputCol="pairs"),
        ChunkEmbeddings(inputCols=["pairs", "embeddings"], outputCol="chunks", **known.params),
    ]
    (row,) = LightPipeline(stages, parse_embeddings=True).fullAnnotate(known.text)
    assert [(one.begin, one.end, one.result) for one in row["chunks"]] == known.ours != known.real
    assert all(one.embeddings for one in row["chunks"])


@pytest.mark.parametrize("known", PHRASES)
def test_known_differences_of_phrases(known):
    stages = [
        DocumentAssembler(inputCol="text"),
        Tokenizer(inputCols=["document"]),
        TextMatcherModel(outputCol="found", searchTrie=[phrase.split() for phrase in known.params["phrases"]]),
    ]
    (row,) = LightPipeline(stages).fullAnnotate(known.text)
    assert [(one.begin, one.end, one.result) for one in row["found"]] == known.ours != known.real
