"""Both find the same documents, sentences and tokens in texts made up at random, whatever the Params."""

from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.ml import Pipeline
from pyspark.sql import functions as F

from tests.known_differences import SENTENCES, TOKENS
from tests.peers import random_texts
from tests.peers.compare import annotators, assert_same_schema, column, with_params

SEED = 7
CLEANUP_MODES = ["inplace", "inplace_full", "shrink", "shrink_full", "each", "each_full", "delete_full"]


@pytest.fixture(scope="module")
def few_texts(spark):
    made = random_texts.texts(150, SEED) + random_texts.prose(50, SEED)
    return spark.createDataFrame(list(enumerate(made)), "id int, text string").coalesce(2).cache()


@pytest.fixture(scope="module")
def few_documents(theirs, few_texts):
    return annotators(theirs)[0].transform(few_texts).cache()


@pytest.fixture(scope="module")
def few_sentences(theirs, few_documents):
    return annotators(theirs)[1].transform(few_documents).cache()


@pytest.mark.parametrize("kind", ["texts", "prose"])
def test_documents_sentences_and_tokens(kind, spark, theirs, ours):
    made = getattr(random_texts, kind)(800, SEED)
    frame = spark.createDataFrame([*enumerate(made), (-1, None)], "id int, text string").coalesce(2)
    found, expected = (Pipeline(stages=annotators(home)).fit(frame).transform(frame) for home in (ours, theirs))
    assert_same_schema(found, expected)
    for name in ("document", "sentence", "token"):
        different = [
            made[at - 1] if at else None
            for at, (one, other) in enumerate(zip(column(found, name), column(expected, name), strict=True))
            if one != other
        ]
        assert different == []


@pytest.mark.parametrize("mode", CLEANUP_MODES)
def test_cleanup_modes(mode, theirs, ours, few_texts):
    found, expected = (
        with_params(annotators(home)[0], {"cleanupMode": mode}).transform(few_texts) for home in (ours, theirs)
    )
    assert column(found, "document") == column(expected, "document")


@pytest.mark.parametrize("params", random_texts.sentence_settings(20, SEED), ids=str)
def test_sentence_settings(params, theirs, ours, few_documents):
    damaged = damaged_by_theirs(params, theirs, few_documents)
    assert len(damaged) <= 2
    documents = few_documents.filter(~F.col("id").isin(damaged))
    found, expected = (with_params(annotators(home)[1], params).transform(documents) for home in (ours, theirs))
    assert_same_schema(found, expected)
    assert column(found, "sentence") == column(expected, "sentence")


def damaged_by_theirs(params, theirs, documents):
    """Ids of texts of which theirs loses a custom bound: a known difference, told by its begin of -1."""
    rules = {name: value for name, value in params.items() if name.startswith(("custom", "use", "detect"))}
    if "customBounds" not in rules:
        return []
    sentences = with_params(annotators(theirs)[1], rules).transform(documents)
    lost = sentences.filter(F.exists("sentence", lambda one: one["begin"] < 0))
    return [row.id for row in lost.select("id").collect()]


@pytest.mark.parametrize("params", random_texts.token_settings(24, SEED), ids=str)
def test_token_settings(params, theirs, ours, few_sentences):
    found, expected = (
        with_params(annotators(home)[2], params).fit(few_sentences).transform(few_sentences) for home in (ours, theirs)
    )
    assert_same_schema(found, expected)
    assert column(found, "token") == column(expected, "token")


def test_exceptions_from_a_file(theirs, ours, few_sentences, tmp_path: Path):
    path = tmp_path / "exceptions.txt"
    path.write_text("New York\ne-mail\nU.S.\nthe market\n", encoding="utf-8")
    found, expected = (
        annotators(home)[2].setExceptionsPath(str(path)).fit(few_sentences).transform(few_sentences)
        for home in (ours, theirs)
    )
    assert column(found, "token") == column(expected, "token")


@pytest.mark.parametrize("kind", ["texts", "prose"])
def test_tokens_of_whole_documents(kind, spark, theirs, ours):
    frame = spark.createDataFrame(list(enumerate(getattr(random_texts, kind)(200, SEED + 1))), "id int, text string")
    documents = annotators(theirs)[0].transform(frame.coalesce(2))
    found, expected = (
        annotators(home)[2].setInputCols("document").fit(documents).transform(documents) for home in (ours, theirs)
    )
    assert column(found, "token") == column(expected, "token")


@pytest.mark.parametrize(("place", "known"), [*((1, one) for one in SENTENCES), *((2, one) for one in TOKENS)])
def test_known_differences(place, known, spark, theirs, ours):
    """Each of them still is one: `real` is what the real one says, `ours` what we say."""
    frame = spark.createDataFrame([(0, known.text)], "id int, text string")
    column_name = ("document", "sentence", "token")[place]

    def said(home):
        stages = annotators(home)
        with_params(stages[place], known.params)
        if place == 2:
            stages[2].setInputCols("document")
            del stages[1]
        out = Pipeline(stages=stages).fit(frame).transform(frame)
        return [(begin, end, result) for _, begin, end, result, _ in column(out, column_name)[0]]

    assert said(ours) == known.ours
    if isinstance(known.real, str):
        with pytest.raises(Py4JJavaError) as caught:
            said(theirs)
        assert known.real in str(caught.value)
    else:
        assert said(theirs) == known.real
