"""Strings through the stages without Spark: as recorded, and as the same pipeline on a DataFrame."""

import copy
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer, StringIndexer
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError, ParamTypeError, TextError
from sparkalbert.inference.model import LoadedModel
from sparkalbert.ml import (
    AlbertEmbeddings,
    Annotation,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    LightPipeline,
    NGramGenerator,
    SentenceDetector,
    SentenceEmbeddings,
    Tokenizer,
    light_pipeline,
)
from sparkalbert.ml.annotation import _java_texts
from tests import tiny_bundle

TEXT = "Rare Hendrix song draft sells for almost $17,000. Two sentences here!"
TEXTS = [
    TEXT,
    "",
    "A smile 🙂 and a café, then\u200b 1,999 things; naïve Zoë … ½!",
    "word " * 200,
    "\u200b \u00ad x",
    " \tİstanbul is\n a town.\\n ﬁne!  ",
]
COLUMNS = ("document", "sentence", "token", "embeddings")


def annotators(**cleanup):
    return [
        DocumentAssembler(inputCol="text", **cleanup),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
    ]


def stages(precision="fp32", **params):
    folder = str(tiny_bundle.bundle(precision).path)
    return [
        *annotators(),
        AlbertEmbeddings(model=folder, inputCols=["token", "sentence"], outputCol="embeddings", **params),
        EmbeddingsFinisher(inputCols=["embeddings"], outputCols=["vectors"], outputAsVector=True),
    ]


def plain(rows):
    return [{name: [list(vars(one).values()) for one in column] for name, column in row.items()} for row in rows]


@pytest.fixture(scope="module")
def recorded(recorded_folder):
    return json.loads((recorded_folder / "annotators" / "lightpipeline.json").read_text())


@pytest.fixture(scope="module")
def recorded_stages(recorded_import_folder):
    embeddings = AlbertEmbeddings.loadSavedModel(str(recorded_import_folder))
    embeddings.setInputCols("sentence", "token").setOutputCol("embeddings").setEncoding("token")
    return [*annotators(), embeddings]


def test_annotations_are_the_recorded_ones(recorded, recorded_stages):
    light = LightPipeline(recorded_stages)
    texts = ["I love NLP.", TEXT, ""]
    assert light.annotate(TEXT) == recorded["annotate_str"]
    assert light.annotate(texts) == recorded["annotate_list"]
    assert plain(light.fullAnnotate(TEXT)) == recorded["fullAnnotate_str"]
    assert plain(light.fullAnnotate(texts)) == recorded["fullAnnotate_list"]


def test_parsed_vectors_are_the_recorded_ones(recorded, recorded_stages):
    light = LightPipeline(recorded_stages, parse_embeddings=True)
    full, (expected,) = plain(light.fullAnnotate("I love NLP.")), recorded["parse_fullAnnotate_str"]
    vectors = [one.pop() for one in full[0]["embeddings"]]
    np.testing.assert_allclose(vectors, [one.pop() for one in expected["embeddings"]], atol=1e-4)
    assert full == [expected]
    results, expected = light.annotate("I love NLP."), recorded["parse_annotate_str"]
    texts, expected_texts = results.pop("embeddings"), expected.pop("embeddings")
    assert results == expected
    found = [text.split(" ") for text in texts]
    written = [text.split(" ") for text in expected_texts]
    np.testing.assert_allclose(np.array(found, float), np.array(written, float), atol=1e-4)
    assert [_java_texts(np.array(row, dtype=np.float32)) for row in written] == written


def on_frame(spark, pipeline, texts, columns=COLUMNS):
    """The rows of the DataFrame path, in the form of :func:`plain`."""
    frame = spark.createDataFrame(list(enumerate(texts)), "id long, text string")
    rows = pipeline.fit(frame).transform(frame).orderBy("id").collect()
    return [
        {name: [list(Annotation.fromRow(one).__dict__.values()) for one in row[name]] for name in columns}
        for row in rows
    ]


def assert_same(light, frame):
    """Every annotation and every bit, but for the documents' metadata, which Spark NLP leaves out."""
    for row in frame:
        for document in row["document"]:
            assert document[4] == {"sentence": "0"}
            document[4] = {}
    assert plain(light) == frame


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"compatibility": "spark-nlp", "maxSentenceLength": 16},
        {"encoding": "token", "layers": [-4, -3, -2, -1], "pooling": "mean"},
        {"pooling": "first_last", "maxSentenceLength": 16, "batchSize": 1},
        {"precision": "int8", "layers": [0], "pooling": "last", "caseSensitive": True, "threads": 1},
    ],
    ids=str,
)
def test_annotations_and_vectors_are_those_of_the_data_frame(spark, recorded_texts, params):
    params = dict(params)
    pipeline = Pipeline(stages=stages(params.pop("precision", "fp32"), **params))
    texts = [*TEXTS, *(row["text"] for row in list(recorded_texts.values())[::25])]
    light = LightPipeline(pipeline, parse_embeddings=True)
    assert_same(light.fullAnnotate(texts), on_frame(spark, pipeline, texts))


def more_stages():
    return [
        *stages()[:4],
        SentenceEmbeddings(inputCols=["sentence", "embeddings"], outputCol="mean"),
        SentenceEmbeddings(inputCols=["document", "embeddings"], outputCol="sum", poolingStrategy="SUM"),
        NGramGenerator(inputCols=["token"], outputCol="pair", n=2),
        ChunkEmbeddings(inputCols=["pair", "embeddings"], outputCol="pair_mean"),
    ]


def test_sentences_and_chunks_are_those_of_the_data_frame(spark, recorded_texts):
    pipeline = Pipeline(stages=more_stages())
    columns = (*COLUMNS, "mean", "sum", "pair", "pair_mean")
    texts = [*TEXTS, *(row["text"] for row in list(recorded_texts.values())[::40])]
    light = LightPipeline(pipeline, parse_embeddings=True)
    assert_same(light.fullAnnotate(texts), on_frame(spark, pipeline, texts, columns))
    # Spark NLP puts the vectors of words, chunks among them, and of sentences in place of their results.
    with_spaces = {name for name, texts in light.annotate("I do.").items() if any(" " in one for one in texts)}
    assert with_spaces == {"document", "sentence", "embeddings", "mean", "sum", "pair", "pair_mean"}
    assert light.annotate("I do.")["pair"] == ["I do", "do ."]


def test_a_finisher_leaves_its_input_annotations():
    finisher = Finisher(inputCols=["token", "sentence"], outputCols=["words", "s"], outputAsArray=False)
    light = LightPipeline([*stages(), finisher])
    plain_light = LightPipeline(stages())
    assert light.annotate(TEXT) == {name: plain_light.annotate(TEXT)[name] for name in ("sentence", "token")}
    assert light.fullAnnotate(TEXT)[0]["token"] == plain_light.fullAnnotate(TEXT)[0]["token"]


def test_doc2chunk_is_refused_or_left_out_as_in_spark_nlp():
    chunk = Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="other")
    vectors = ChunkEmbeddings(inputCols=["chunk", "embeddings"], outputCol="vectors")
    light = LightPipeline([*stages(), chunk, vectors])
    with pytest.raises(ParamError, match=f"model {chunk.uid} does not support LightPipeline"):
        light.annotate(TEXT)
    expected = {**LightPipeline(stages()).annotate(TEXT), "vectors": []}
    assert light.setIgnoreUnsupported(True).annotate(TEXT) == expected


ODD = "ab Z.,!?'\"-\n\t\\n\r\u00a0\u200b\u2028éİſ🙂𝒳—$1(a)"


@settings(max_examples=8)
@given(texts=st.lists(st.text(st.sampled_from(ODD) | st.characters(codec="utf-8"), max_size=60), max_size=8))
def test_any_text_is_annotated_as_on_a_data_frame(spark, texts):
    pipeline = Pipeline(stages=stages())
    light = LightPipeline(pipeline, parse_embeddings=True)
    assert_same(light.fullAnnotate(texts), on_frame(spark, pipeline, texts))


def test_a_list_gives_what_each_text_gives(monkeypatch):
    light = LightPipeline(stages(), parse_embeddings=True)
    one_by_one = [light.fullAnnotate(text)[0] for text in TEXTS]
    assert light.fullAnnotate(TEXTS) == one_by_one
    assert light.annotate(TEXTS) == [light.annotate(text) for text in TEXTS]
    monkeypatch.setattr(light_pipeline, "_BATCH_CHARACTERS", 100)
    assert light.fullAnnotate(TEXTS) == one_by_one
    assert light.fullAnnotate([]) == light.annotate([]) == []


def test_a_fitted_and_a_loaded_pipeline_annotate_alike(spark, tmp_path):
    frame = spark.createDataFrame([(TEXT,)], "text string")
    model = Pipeline(stages=[Pipeline(stages=annotators()), *stages()[3:]]).fit(frame)
    model.write().overwrite().save(str(tmp_path / "model"))
    expected = LightPipeline(stages()).fullAnnotate(TEXT)
    assert LightPipeline(model).fullAnnotate(TEXT) == expected
    assert LightPipeline(PipelineModel.load(str(tmp_path / "model"))).fullAnnotate(TEXT) == expected


def test_output_cols_choose_and_the_document_comes_along(spark):
    light = LightPipeline(stages(), output_cols=["token"])
    assert list(light.annotate(TEXT)) == ["document", "token"]
    assert list(light.fullAnnotate([TEXT])[0]) == ["document", "token"]
    frame = spark.createDataFrame([(1, TEXT)], "id long, text string")
    assert light.transform(frame).columns == ["id", "text", "token"]
    assert LightPipeline(stages()).transform(frame).columns == ["id", "text", *COLUMNS, "vectors"]


def test_transform_keeps_columns_of_any_name(any_spark):
    """After a join, several columns may have the same name."""
    twice = any_spark.range(1).crossJoin(any_spark.range(1))
    frame = twice.select("*", F.lit("Hi.").alias("text"), F.lit(1).alias("a.b"))
    made = LightPipeline(annotators(), output_cols=["token", "text", "document"]).transform(frame)
    assert made.columns == ["id", "id", "text", "a.b", "token", "document"]
    assert [made.schema[name].metadata["annotatorType"] for name in made.columns[4:]] == ["token", "document"]
    assert LightPipeline(annotators(), output_cols=["text"]).transform(frame).columns == frame.columns
    with pytest.raises(ColumnError, match=r"LightPipeline: the dataset does not have any 'tokens' column\. Did you"):
        LightPipeline(annotators(), output_cols=["tokens"]).transform(frame)


def test_params_are_those_of_the_start(spark):
    made = annotators()
    light = LightPipeline(made)
    made[2].setMinLength(5)
    made[1].setOutputCol("other")
    fitted = light.pipeline_model.stages
    fitted[2].setMinLength(5)
    assert light.annotate("a long text")["token"] == ["a", "long", "text"]
    row = light.transform(spark.createDataFrame([("a long text",)], "text string")).first()
    assert [token.result for token in row.token] == ["a", "long", "text"]
    assert "sentence" in row
    assert LightPipeline(made[:2]).annotate("One. Two.")["other"] == ["One.", "Two."]


def test_lazy_annotators_are_left_out():
    made = stages()
    made[1].setLazyAnnotator(True)
    assert LightPipeline(made).annotate("Hi.") == {"document": ["Hi."], "token": [], "embeddings": []}
    chunk = Doc2Chunk(inputCols=["document"], outputCol="chunk", lazyAnnotator=True)  # which would be refused
    assert LightPipeline([made[0], chunk]).annotate("Hi.") == {"document": ["Hi."]}
    doc = made[1].lazyAnnotator.doc
    assert doc == "If true, a LightPipeline leaves the stage out, as in Spark NLP; pipelines on DataFrames run it."


def test_lazy_annotators_run_on_data_frames(spark):
    made = annotators()
    made[1].setLazyAnnotator(True)
    frame = spark.createDataFrame([("Hi. You.",)], "text string")
    row = Pipeline(stages=made).fit(frame).transform(frame).first()
    assert [sentence.result for sentence in row.sentence] == ["Hi.", "You."]


def test_sentences_are_not_exploded():
    made = annotators()
    made[1].setExplodeSentences(True)
    assert LightPipeline(made).annotate("One. Two.")["sentence"] == ["One.", "Two."]


def test_many_threads_may_share_one():
    light = LightPipeline(stages(), parse_embeddings=True)
    expected = [light.fullAnnotate(text) for text in TEXTS]
    fresh = LightPipeline(stages(threads=2), parse_embeddings=True)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fresh.fullAnnotate, TEXTS * 5)) == expected * 5


def test_stages_of_spark_ml_are_not_run_as_in_spark_nlp(spark):
    other = SQLTransformer(statement="SELECT *, upper(text) AS upper FROM __THIS__")
    expected = LightPipeline(annotators()).annotate("Hi.")
    assert LightPipeline([*annotators(), other]).annotate("Hi.") == expected
    with pytest.warns(UserWarning, match=f"LightPipeline does not run {other.uid}"):
        light = LightPipeline([other, *annotators()])  # it may change what an annotator reads
    assert light.annotate("Hi.") == expected


def test_ids_are_in_a_column_and_in_the_metadata_of_documents():
    """As in Spark NLP 6.2 (``LightPipeline.scala``), whose `end` of an id is exclusive."""
    made = annotators()
    rows = LightPipeline(made).fullAnnotate([7, 12], ["One. Two.", ""])
    for row, number, document in zip(rows, ["7", "12"], ["One. Two.", ""], strict=True):
        assert list(row) == ["document", "doc_id", "sentence", "token"]
        assert row["doc_id"] == [Annotation("dummy", 0, len(number), number, {"id": number}, [])]
        assert row["document"] == [Annotation("document", 0, len(document) - 1, document, {"id": number}, [])]
    assert rows[0]["token"] == LightPipeline(made).fullAnnotate("One. Two.")[0]["token"]
    made[0].setIdCol("key")
    assert LightPipeline(made).annotate([3], ["A"]) == [
        {"document": ["A"], "key": ["3"], "sentence": ["A"], "token": ["A"]}
    ]
    for wrong in (["a"], [True], [1, 2], 1):
        with pytest.raises((ParamError, ParamTypeError), match="ids"):
            LightPipeline(made).annotate(wrong, ["A"])


@pytest.mark.parametrize("duplicate", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_it_can_be_pickled_and_copied(duplicate):
    light = LightPipeline(stages(), parse_embeddings=True).setIgnoreUnsupported(True)
    expected = light.fullAnnotate(TEXTS)  # so the model is loaded
    other = duplicate(light)
    assert other.getIgnoreUnsupported()
    assert other.fullAnnotate(TEXTS) == expected


def test_several_pipelines_keep_their_models_loaded(monkeypatch):
    loads = []
    load = LoadedModel.load.__func__
    monkeypatch.setattr(LoadedModel, "load", classmethod(lambda cls, *args: loads.append(1) or load(cls, *args)))
    pipelines = [LightPipeline(stages(threads=threads)) for threads in (1, 2, 3)]
    for _ in range(4):
        for light in pipelines:
            light.annotate("One. Two.")
    assert len(loads) == 3


def test_a_stage_that_learns_from_data_has_to_be_fitted_first(spark):
    indexer = StringIndexer(inputCol="text", outputCol="n")
    with pytest.raises(ParamError, match=f"{indexer.uid} has to be fitted: a StringIndexer learns from data"):
        LightPipeline(Pipeline(stages=[*annotators(), indexer]))


def test_an_exceptions_file_is_read_without_spark(tmp_path):
    (tmp_path / "exceptions.txt").write_text("New York\n", encoding="utf-8")
    made = annotators()
    made[2].setExceptionsPath(str(tmp_path / "exceptions.txt"))
    assert LightPipeline(made).annotate("In New York now")["token"] == ["In", "New York", "now"]
    made[2].setExceptionsPath("hdfs://nowhere/exceptions.txt")
    with pytest.raises(ParamError, match=r"exceptionsPath: hdfs://nowhere/exceptions.txt is read by Spark"):
        LightPipeline(made)


@pytest.mark.parametrize(
    ("position", "columns", "wanted"),
    [
        (1, ["nope"], "document"),
        (2, ["token"], "document"),  # its own output is not there yet
        (3, ["sentence", "document"], "document', 'token"),
        (3, ["sentence", "vectors"], "document', 'token"),
    ],
)
def test_missing_columns_have_spark_nlps_text(position, columns, wanted):
    made = stages()
    made[position].setInputCols(columns)
    # Fitting gives the model the tokenizer's uid or one of its own, so that of the error is not compared.
    message = (
        r"^Wrong or missing inputCols annotators in \w+ Make sure such annotator exist in your pipeline, "
        rf"with the right output names and that they have following annotator types: \['{wanted}'\]$"
    )
    light = LightPipeline(made)
    for call in (light.annotate, light.fullAnnotate):
        with pytest.raises(ParamTypeError, match=message):
            call("x")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "'str' or list.*, found NoneType"),
        (("x",), "'str' or list.*, found tuple"),
        ([["x"]], "found list at position 0"),
        (["x", None], "found NoneType at position 1"),
    ],
)
def test_targets_are_texts(target, message):
    light = LightPipeline(annotators())
    for call in (light.annotate, light.fullAnnotate):
        with pytest.raises(ParamTypeError, match=message):
            call(target)


def test_other_bad_arguments():
    light = LightPipeline(annotators())
    with pytest.raises(TextError, match=r"lone surrogate \(U\+D800\) at character 1"):
        light.annotate("a\ud800")
    with pytest.raises(ParamError, match=r"Question answering, .* is not supported"):
        light.annotate("question", "context")
    for wrong in ("pipeline", None, [1], DocumentAssembler(inputCol="text")):
        with pytest.raises(ParamTypeError, match="expects a PipelineModel, a Pipeline or a list of stages"):
            LightPipeline(wrong)


ALONE = """
import json, os, sys
from pathlib import Path
from pyspark import SparkContext
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import SparkSession
from sparkalbert.ml import *

assembler = DocumentAssembler(inputCol="text", cleanupMode="shrink")
detector = SentenceDetector(inputCols=["document"])
tokenizer = Tokenizer(inputCols=["sentence"])
embeddings = AlbertEmbeddings(model=sys.argv[1], inputCols=["sentence", "token"], outputCol="embeddings")
finisher = EmbeddingsFinisher(inputCols=["embeddings"])
pipeline = Pipeline(stages=[assembler, detector, tokenizer, embeddings, finisher])
results = LightPipeline(pipeline).annotate(sys.argv[2])
model = PipelineModel([assembler, detector, tokenizer._fit_locally(), embeddings, finisher])
assert LightPipeline(model, True).fullAnnotate(sys.argv[2])[0]["embeddings"][0].embeddings
assert SparkSession.getActiveSession() is None
assert SparkContext._active_spark_context is None and SparkContext._gateway is None
print(json.dumps(results))
"""


def test_there_is_no_spark_session_and_no_java(tmp_path):
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "none"), "PATH": str(tmp_path)}
    arguments = [str(tiny_bundle.bundle().path), TEXT]
    command = [sys.executable, "-W", "error", "-c", ALONE, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == LightPipeline(stages()).annotate(TEXT)
