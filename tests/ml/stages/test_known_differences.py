"""The stages on texts on which they deliberately differ from Spark NLP; make test-peers asks it again."""

import pytest

from sparkalbert.ml import SentenceDetector, TokenizerModel
from sparkalbert.ml.worker.annotation_tasks import SENTENCE_INPUTS, TOKEN_INPUTS
from tests.known_differences import SENTENCES, TOKENS


@pytest.mark.parametrize(
    ("stage", "inputs", "known"),
    [(SentenceDetector, SENTENCE_INPUTS, SENTENCES), (TokenizerModel, TOKEN_INPUTS, TOKENS)],
)
def test_known_differences(annotate, stage, inputs, known):
    for text, params, real, ours in known:
        columns = [[[0]], [[text]], [["0"]]][: len(inputs)]
        (row,) = annotate(stage(**params)._task(), inputs, columns)
        assert [(begin, end, result) for _, begin, end, result, _ in row] == ours != real
        assert all(result in text for *_, result in ours)
