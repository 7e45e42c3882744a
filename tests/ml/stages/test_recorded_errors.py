"""What bad calls raise, beside what the real Spark NLP was seen to raise for them."""

import json
import re

import pytest

from sparkalbert.errors import ColumnError, ModelNotFoundError, ParamError, ParamTypeError
from sparkalbert.ml import (
    AlbertEmbeddings,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    LightPipeline,
    SentenceEmbeddings,
    Tokenizer,
)
from tests import tiny_bundle


def embeddings(*columns):
    stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), outputCol="e")
    return stage.setInputCols(*columns)


def tokens_without_a_document():
    return LightPipeline([Tokenizer(inputCols=["document"])]).annotate("a")


# For each recorded call: the same here, and the error.
CALLS = {
    "missing-column": (lambda frame: DocumentAssembler(inputCol="nope").transform(frame), ColumnError),
    "wrong-annotator": (lambda frame: embeddings("document", "text").transform(frame), ColumnError),
    "three-inputs": (lambda _: embeddings("a", "b", "c"), ParamTypeError),
    "tuple-inputs": (lambda _: embeddings(("a", "b")), ParamTypeError),
    "msl-600": (lambda _: AlbertEmbeddings().setMaxSentenceLength(600), ParamError),
    "cleanup": (lambda _: DocumentAssembler().setCleanupMode("none"), ParamError),
    "lightpipeline-missing": (lambda _: tokens_without_a_document(), ParamTypeError),
    "no-folder": (lambda _: AlbertEmbeddings.loadSavedModel("/nonexistent"), ModelNotFoundError),
    "finisher-not-annotation": (lambda frame: Finisher(inputCols=["text"]).transform(frame), ColumnError),
}
# Theirs are a stack of Java calls and Spark's complaint about a field of a string.
OTHER_WORDS = {
    "no-folder": "/nonexistent not found",
    "finisher-not-annotation": "column [text] must be an NLP Annotation column, found string",
}
# Calls that Spark NLP accepts silently.
ACCEPTED = {
    "finisher-wrong-type": (
        lambda frame: EmbeddingsFinisher(inputCols=["document"]).transform(frame),
        ColumnError,
        r"must be a type of either .*, found document",
    ),
    "sentence-strategy": (
        lambda _: SentenceEmbeddings().setPoolingStrategy("MAX"),
        UserWarning,
        "expected AVERAGE or SUM. AVERAGE is used",
    ),
}


def spoken(message):
    """A message without the names of stages."""
    return re.sub(r"\w+_[0-9a-f]{12}", "STAGE", message.removeprefix("requirement failed: ")).lower()


@pytest.fixture
def recorded_errors(recorded_folder):
    return json.loads((recorded_folder / "annotators" / "errors.json").read_text())


@pytest.fixture
def documents(spark):
    frame = spark.createDataFrame([("1", "a")], "id string, text string")
    return DocumentAssembler(inputCol="text").transform(frame)


def test_every_recorded_call_is_here(recorded_errors):
    assert set(recorded_errors) == {*CALLS, *ACCEPTED}
    assert {name for name, error in recorded_errors.items() if error == "no error"} == set(ACCEPTED)


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_call_raises_what_spark_nlp_raises(documents, recorded_errors, name):
    call, error = CALLS[name]
    kind, message = recorded_errors[name].split(": ", 1)
    with pytest.raises(error) as caught:
        call(documents)
    assert spoken(OTHER_WORDS.get(name, message)) in spoken(str(caught.value))
    if kind in {"TypeError", "ValueError"}:  # Python's own; the others are the JVM's
        assert kind in {parent.__name__ for parent in type(caught.value).__mro__}


@pytest.mark.parametrize("name", ACCEPTED)
def test_calls_that_spark_nlp_accepts_silently_are_reported(documents, name):
    call, error, message = ACCEPTED[name]
    with pytest.warns(error, match=message) if error is UserWarning else pytest.raises(error, match=message):
        call(documents)
