"""``compatibility="spark-nlp"``: the rows that the real Spark NLP recorded, and the promises that stay."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml import Pipeline, PipelineModel

from sparkalbert.errors import ParamError
from sparkalbert.inference import EmbedderOptions
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.worker.embedding_tasks import AnnotationTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from tests import tiny_bundle

TEXTS = ["A lighthouse. The \u200b end!", "", None, "xyz " * 30 + "lighthouse", "\u200b", "İ 🙂 a"]


def stages(model, **params):
    return [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        SentenceDetector().setInputCols("document").setOutputCol("sentence"),
        Tokenizer().setInputCols("sentence").setOutputCol("token"),
        AlbertEmbeddings(model=str(model), inputCols=["sentence", "token"], outputCol="embeddings", **params),
    ]


def transformed(frame, model, **params):
    return Pipeline(stages=stages(model, **params)).fit(frame).transform(frame)


def frame_of(spark, texts=TEXTS):
    return spark.createDataFrame(list(enumerate(texts)), "id long, text string")


def annotations(row):
    return [[a.begin, a.end, a.result, a.metadata, list(a.embeddings)] for a in row.embeddings]


def test_every_recorded_row_is_reproduced(recorded_texts, recorded_folder, recorded_model):
    rows = list(recorded_texts.values())
    columns = [
        [[one[field] for one in row[kind]] for row in rows] for kind in ("sentence", "token") for field in range(4)
    ]
    types = [field.type for fields in AnnotationTask.inputs for field in fields]
    batch = tuple(pa.array(column, kind) for column, kind in zip(columns, types, strict=True))
    handle = ModelHandle("recorded", recorded_model.digest, str(recorded_model.path))
    task = AnnotationTask(WorkerModel(handle, EmbedderOptions(encoding="token"), 2), as_spark_nlp=True)
    found = [row for array in task(iter([batch])) for row in array.to_pylist()]
    vectors = np.load(recorded_folder / "pipeline-vectors.npz")["batch1"]
    assert len(found) == len(rows)
    for row, ours in zip(rows, found, strict=True):
        found_row = [(a["begin"], a["end"], a["result"], dict(a["metadata"])) for a in ours]
        assert found_row == [
            (begin, end, result, {"sentence": sentence, "token": result, "pieceId": str(piece), **CONSTANT})
            for begin, end, result, sentence, piece in row["embeddings"]
        ]
        computed = np.array([a["embeddings"] for a in ours], dtype=np.float32)
        expected = vectors[slice(*row["vectors"])]
        np.testing.assert_allclose(computed.reshape(expected.shape), expected, atol=1e-4, rtol=0)


CONSTANT = {"isWordStart": "true", "isOOV": "false"}


def test_the_recorded_column_is_reproduced_on_every_spark(
    any_spark, recorded_texts, recorded_output, recorded_schema, recorded_model
):
    """The port of a pipeline with nothing but the imports changed, and compatibility set."""
    recorded = recorded_output("albert")
    special = {"null-0": None, "empty-0": ""}
    texts = [special[row["id"]] if row["id"] in special else recorded_texts[row["id"]]["text"] for row in recorded]
    frame = any_spark.createDataFrame(
        [(row["id"], text) for row, text in zip(recorded, texts, strict=True)], "id string, text string"
    )
    out = transformed(
        frame,
        recorded_model.path,
        compatibility="spark-nlp",
        dimension=32,
        storageRef="recorded",
        batchSize=1,
    )
    schema = recorded_schema("albert")
    assert out.columns == schema["columns"]
    ours = json.loads(out.schema["embeddings"].json())
    assert ours == next(field for field in schema["fields"] if field["name"] == "embeddings")
    rows = {row.id: row for row in out.collect()}
    for row in recorded:
        for one, (kind, begin, end, result, metadata, vector) in zip(
            rows[row["id"]].embeddings, row["out"], strict=True
        ):
            assert (one.annotatorType, one.begin, one.end, one.result) == (kind, begin, end, result)
            assert one.metadata == metadata
            np.testing.assert_allclose(one.embeddings, vector, atol=1e-4, rtol=0)


def test_tokens_are_left_out_as_spark_nlp_does(any_spark):
    folder = tiny_bundle.bundle().path
    rows = transformed(frame_of(any_spark), folder, compatibility="spark-nlp", maxSentenceLength=12).collect()
    results = {row.id: [a.result for a in row.embeddings] for row in rows}
    assert results[0] == ["a", "lighthouse", ".", "the", "end", "!"]
    assert results[1] == results[2] == results[4] == []
    assert 0 < len(results[3]) < 10
    assert results[3] == ["xyz"] * len(results[3])
    assert results[5] == ["i̇", "🙂", "a"]
    default = transformed(frame_of(any_spark), folder, maxSentenceLength=12).collect()
    assert all(len(row.embeddings) == len(row.token) for row in default)


def test_the_same_words_have_the_same_bits_as_under_encoding_token(spark):
    """Where nothing is cut, compatibility only leaves out what has no piece."""
    folder = tiny_bundle.bundle().path
    rows = transformed(frame_of(spark), folder, compatibility="spark-nlp").collect()
    tokenwise = transformed(frame_of(spark), folder, encoding="token").collect()
    for row, other in zip(rows, tokenwise, strict=True):
        assert annotations(row) == [one for one in annotations(other) if one[3]["isOOV"] == "false"]


def test_partitions_and_arrow_batches_never_change_a_bit(spark, setting):
    folder, frame, expected = tiny_bundle.bundle("int8").path, frame_of(spark), None
    for partitions, batch in [(1, 10_000), (2, 3), (5, 1)]:
        with setting(spark, "spark.sql.execution.arrow.maxRecordsPerBatch", str(batch)):
            out = transformed(frame.repartition(partitions), folder, compatibility="spark-nlp", maxSentenceLength=20)
            found = {row.id: annotations(row) for row in out.collect()}
        expected = found if expected is None else expected
        assert found == expected
    assert sum(map(len, expected.values())) >= 10


def test_no_job_starts_and_the_param_is_saved(spark, no_spark_job, tmp_path):
    frame = frame_of(spark)
    model = Pipeline(stages=stages(tiny_bundle.bundle().path, compatibility="spark-nlp")).fit(frame)
    with no_spark_job():
        out = model.transform(frame)
    model.write().overwrite().save(str(tmp_path / "pipeline"))
    again = PipelineModel.load(str(tmp_path / "pipeline"))
    assert again.stages[-1].getCompatibility() == "spark-nlp"
    assert again.stages[-1].getEncoding() == "token"
    assert again.transform(frame).collect() == out.collect()


def test_what_contradicts_compatibility_is_refused_on_the_driver(spark):
    folder = str(tiny_bundle.bundle().path)
    with pytest.raises(ParamError, match="expected one of none, spark-nlp"):
        AlbertEmbeddings(compatibility="exact")
    with pytest.raises(ParamError, match="encoding is 'sentence', but compatibility 'spark-nlp'"):
        transformed(frame_of(spark), folder, compatibility="spark-nlp", encoding="sentence")
    lists = spark.createDataFrame([(["a"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], compatibility="spark-nlp")
    with pytest.raises(ParamError, match="must be as long as the list of tokens"):
        stage.transform(lists)
    assert AlbertEmbeddings().getCompatibility() == "none"
    assert AlbertEmbeddings().getEncoding() == "sentence"
