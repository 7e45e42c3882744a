"""A Param takes effect however Spark lets a user set it, and a wrong value is refused wherever it is used."""

from functools import reduce

import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import DataFrame

from sparkalbert.errors import BundleError, ParamError
from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    MultiDocumentAssembler,
    NGramGenerator,
    NormalizerModel,
    RegexTokenizer,
    SentenceDetector,
    SentenceEmbeddings,
    StopWordsCleaner,
    TextMatcherModel,
    TokenAssembler,
    Tokenizer,
    TokenizerModel,
)
from tests import tiny_bundle

TEXT = " A lighthouse; the  old one. Ünwritten words!"


def pipeline():
    model = str(tiny_bundle.bundle().path)
    return [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        AlbertEmbeddings(model=model, inputCols=["sentence", "token"], outputCol="embeddings"),
        NGramGenerator(inputCols=["token"], outputCol="ngrams"),
    ]


# A stage, and a Param with a value that changes its output.
CASES = {
    "DocumentAssembler": (DocumentAssembler(inputCol="text"), "cleanupMode", "shrink"),
    "SentenceDetector": (SentenceDetector(inputCols=["document"]), "maxLength", 14),
    "TokenizerModel": (TokenizerModel(inputCols=["sentence"]), "minLength", 4),
    "AlbertEmbeddings": (
        AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["sentence", "token"], outputCol="embeddings"),
        "pooling",
        "mean",
    ),
    "NGramGenerator": (NGramGenerator(inputCols=["token"], outputCol="ngrams"), "delimiter", "_"),
    "RegexTokenizer": (RegexTokenizer(inputCols=["document"]), "pattern", ";"),
    "StopWordsCleaner": (StopWordsCleaner(inputCols=["token"]), "stopWords", ["lighthouse"]),
    "NormalizerModel": (NormalizerModel(inputCols=["token"], outputCol="clean"), "lowercase", True),
    "TokenAssembler": (TokenAssembler(inputCols=["sentence", "token"], outputCol="again"), "preservePosition", True),
    "TextMatcherModel": (
        TextMatcherModel(inputCols=["sentence", "token"], outputCol="entity", searchTrie=[["old", "one"]]),
        "searchTrie",
        [["lighthouse"]],
    ),
    "MultiDocumentAssembler": (
        MultiDocumentAssembler(inputCols=["text"], outputCols=["again"]),
        "cleanupMode",
        "shrink",
    ),
    "SentenceEmbeddings": (SentenceEmbeddings(inputCols=["sentence", "embeddings"]), "poolingStrategy", "SUM"),
    "ChunkEmbeddings": (ChunkEmbeddings(inputCols=["ngrams", "embeddings"]), "poolingStrategy", "SUM"),
    "Doc2Chunk": (Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="target"), "chunkCol", "other"),
    "Finisher": (Finisher(inputCols=["token"], outputAsArray=False), "annotationSplitSymbol", "|"),
    "EmbeddingsFinisher": (EmbeddingsFinisher(inputCols=["embeddings"]), "outputAsVector", True),
}

WAYS = {
    "set": lambda stage, frame, name, value: _set(stage.copy(), name, value).transform(frame),
    "setParamValue": lambda stage, frame, name, value: stage.copy().setParamValue(name, value).transform(frame),
    "setParams": lambda stage, frame, name, value: stage.copy().setParams(**{name: value}).transform(frame),
    "copy": lambda stage, frame, name, value: stage.copy({stage.getParam(name): value}).transform(frame),
    "transform": lambda stage, frame, name, value: stage.transform(frame, {stage.getParam(name): value}),
    "pipeline": lambda stage, frame, name, value: PipelineModel([stage]).transform(
        frame, {stage.getParam(name): value}
    ),
}


def _set(stage, name, value):
    stage.set(stage.getParam(name), value)
    return stage


def by_setter(stage, frame, name, value):
    return getattr(stage.copy(), f"set{name[0].upper()}{name[1:]}")(value).transform(frame)


@pytest.fixture(scope="module")
def annotated(spark):
    frame = spark.createDataFrame([(TEXT, "lighthouse", "old")], "text string, target string, other string")
    return Pipeline(stages=pipeline()).fit(frame).transform(frame).coalesce(1).cache()


@pytest.mark.parametrize("name", CASES)
def test_a_param_takes_effect_however_it_is_set(annotated, name):
    stage, param, value = CASES[name]
    made = getattr(stage, "getOutputCols", lambda: [stage.getOutputCol()])()
    frame = annotated.drop(*made)
    (unchanged,) = stage.transform(frame).select(*made).collect()
    frames = [by_setter(stage, frame, param, value)]
    for way, transformed in WAYS.items():
        frames.append(transformed(stage, frame, param, value))
        assert not stage.isSet(param) or stage.getOrDefault(param) != value, way
    expected, *found = reduce(DataFrame.union, [one.select(*made) for one in frames]).collect()
    assert expected != unchanged
    assert dict(zip(WAYS, found, strict=True)) == dict.fromkeys(WAYS, expected)


def token_frame(spark):
    return spark.createDataFrame([(["a", "lighthouse"],)], "tokens array<string>")


def vectors(*frames):
    """Return the vectors of frames of one row, computed in one job."""
    rows = reduce(DataFrame.union, [frame.select("v") for frame in frames]).collect()
    return np.array([row.v for row in rows], dtype=np.float32)


def test_the_model_that_is_set_is_the_model_that_runs(spark):
    frame = token_frame(spark)
    one, other = (str(tiny_bundle.bundle(precision).path) for precision in ("fp32", "int8"))
    stage = AlbertEmbeddings(model=one, inputCols=["tokens"], outputCol="v")
    frames = [AlbertEmbeddings(model=other, inputCols=["tokens"], outputCol="v").transform(frame)]
    frames += [way(stage, frame, "model", other) for way in WAYS.values()]
    before = stage.transform(frame)  # the stage itself has kept its model
    expected, *found, unchanged = vectors(*frames, before)
    np.testing.assert_array_equal(found, [expected] * len(WAYS))
    assert not np.array_equal(expected, unchanged)
    fresh = AlbertEmbeddings(model=one, inputCols=["tokens"], outputCol="v").transform(frame)
    np.testing.assert_array_equal(vectors(fresh), [unchanged])


@pytest.mark.parametrize(
    ("param", "value", "message"),
    [
        ("compatibility", "spark_nlp", r"compatibility is 'spark_nlp', .* Did you mean 'spark-nlp'\?"),
        ("vectorFormat", "bytes", "vectorFormat is 'bytes', expected one of float, binary"),
        ("precision", "fp64", "precision is 'fp64'"),
        ("pooling", "max", "pooling is 'max'"),
        ("encoding", "word", "encoding is 'word'"),
        ("layers", [99], "layer"),
        ("device", "cpu:5", "device"),
        ("threads", 0, "threads is 0"),
        ("maxSentenceLength", 2, "at least 3"),
        ("modelDistribution", "broadcast", "modelDistribution is 'broadcast'"),
        ("memoryBudgetMb", 0, "memoryBudgetMb is 0"),
        ("engine", "tensorflow", "engine is 'tensorflow'"),
    ],
)
def test_a_wrong_value_is_refused_on_the_driver(spark, no_spark_job, param, value, message):
    frame = token_frame(spark)
    stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["tokens"], outputCol="v")
    before = stage.extractParamMap()
    with no_spark_job():
        for name, way in WAYS.items():
            with pytest.raises(ParamError, match=message):
                pytest.fail(f"accepted by {name}: {way(stage, frame, param, value)}")
            assert stage.extractParamMap() == before, name
        assert stage.transform(frame).columns == ["tokens", "v"], "the stage is usable after a refused value"


def test_the_order_of_model_and_precision_does_not_matter(spark):
    checkpoint = str(tiny_bundle.checkpoint())
    stages = [
        AlbertEmbeddings(model=checkpoint, precision="int8"),
        AlbertEmbeddings(precision="int8").setModel(checkpoint),
        AlbertEmbeddings(model=checkpoint).setPrecision("int8"),
        AlbertEmbeddings.pretrained(checkpoint, precision="int8"),
    ]
    assert len({stage.getModelDigest() for stage in stages}) == 1
    assert stages[0].getModelDigest() != AlbertEmbeddings(model=checkpoint).getModelDigest()
    with pytest.raises(ParamError, match="precision is 'fp64'"):
        AlbertEmbeddings(precision="fp64")
    refused = AlbertEmbeddings(model=checkpoint, inputCols=["tokens"], outputCol="v")
    with pytest.raises(ParamError, match="precision is 'fp46'"):
        refused.setPrecision("fp46")
    assert vectors(refused.transform(token_frame(spark))).shape == (1, 2, 32)


def test_a_required_digest_is_checked_however_it_is_set(spark, no_spark_job):
    frame = token_frame(spark)
    stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["tokens"], outputCol="v")
    digest = stage.getModelDigest()
    assert digest == tiny_bundle.bundle().digest
    with no_spark_job():
        for name, way in WAYS.items():
            way(stage, frame, "modelDigest", digest)
            with pytest.raises(BundleError, match=f"is {digest}, but modelDigest requires {'0' * 64}"):
                pytest.fail(f"accepted by {name}: {way(stage, frame, 'modelDigest', '0' * 64)}")
    assert not stage.isSet("modelDigest")
    required = AlbertEmbeddings(model=stage.getModel(), modelDigest="0" * 64)
    assert required.getModelDigest() == required.getParamValue("modelDigest") == "0" * 64
