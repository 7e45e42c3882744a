import json

import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import DenseVector
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import EmbeddingsFinisher
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE

VECTORS = {"a": [[1.5, -2.0], [0.1, 3.0]], "b": [], "c": None, "d": [None, [7.0]]}
ARRAYS = {"type": "array", "elementType": "float", "containsNull": False}


def annotations(vectors, kind):
    if vectors is None:
        return None
    return [(kind, 0, 1, "x", {"sentence": "0"}, vector) for vector in vectors]


@pytest.fixture
def embeddings(any_spark):
    """Word and sentence embeddings, tokens and a plain column."""
    rows = [
        (
            name,
            annotations(vectors, "word_embeddings"),
            annotations(vectors and vectors[:1], "sentence_embeddings"),
        )
        for name, vectors in VECTORS.items()
    ]
    schema = "id string, " + ", ".join(f"{name} {ANNOTATION_COLUMN_TYPE.simpleString()}" for name in ("words", "whole"))
    frame = any_spark.createDataFrame(rows, schema).coalesce(1)
    for name, kind in [("words", "word_embeddings"), ("whole", "sentence_embeddings")]:
        frame = typed(frame, name).withMetadata(name, {"annotatorType": kind, "dimension": 2, "ref": "r"})
    return frame.withColumn("token", F.col("words")).withMetadata("token", {"annotatorType": "token"})


def typed(frame, name):
    """A Python row cannot declare that floats are never null; a Spark expression can."""
    return frame.withColumn(
        name,
        F.transform(
            name,
            lambda one: F.struct(
                one["annotatorType"].alias("annotatorType"),
                F.coalesce(one["begin"], F.lit(0)).alias("begin"),
                F.coalesce(one["end"], F.lit(0)).alias("end"),
                one["result"].alias("result"),
                one["metadata"].alias("metadata"),
                F.transform(one["embeddings"], never_null).alias("embeddings"),
            ),
        ).cast(ANNOTATION_COLUMN_TYPE),
    )


def never_null(number):
    return F.coalesce(number, F.lit(0).cast("float"))


def rounded(vectors):
    """float32 as Python shows it."""
    return vectors and [vector and [pytest.approx(value) for value in vector] for vector in vectors]


def test_arrays_and_vectors(embeddings):
    arrays = EmbeddingsFinisher(inputCols=["words", "whole"]).transform(embeddings)
    both = EmbeddingsFinisher(inputCols=["words"], outputCols=["vec"], outputAsVector=True).transform(arrays)
    assert both.columns == [*embeddings.columns, "finished_words", "finished_whole", "vec"]
    schema = {field.name: json.loads(field.json()) for field in both.schema.fields}
    for name in ("finished_words", "finished_whole"):
        assert schema[name] == {
            "name": name,
            "type": {"type": "array", "elementType": ARRAYS, "containsNull": True},
            "nullable": True,
            "metadata": {},
        }
    vector = schema["vec"]["type"]["elementType"]
    assert (vector["type"], vector["class"]) == ("udt", "org.apache.spark.ml.linalg.VectorUDT")
    assert schema["vec"]["type"]["containsNull"]
    assert schema["vec"]["nullable"]
    assert schema["vec"]["metadata"] == {}
    for row in both.collect():
        expected = VECTORS[row.id]
        assert row.finished_words == rounded(expected)
        assert row.finished_whole == rounded(expected and expected[:1])
        assert (row.vec is None) == (expected is None)
        for found, given in zip(row.vec or [], expected or [], strict=True):
            assert (found is None) == (given is None)
            assert given is None or isinstance(found, DenseVector)
            assert given is None or found.toArray() == pytest.approx(given)


def test_vectors_work_in_ml_functions(embeddings):
    finisher = EmbeddingsFinisher(inputCols=["words"], outputCols=["vec"], outputAsVector=True)
    vectors = finisher.transform(embeddings).filter("id = 'a'").select(F.explode("vec").alias("one"))
    found = vectors.select(vector_to_array("one", "float32").alias("floats")).collect()
    assert [row.floats for row in found] == rounded(VECTORS["a"])


def test_cleaning_drops_every_annotation_column(embeddings):
    finisher = EmbeddingsFinisher(inputCols=["words"], outputCols=["vec"], cleanAnnotations=True)
    assert finisher.transform(embeddings).columns == ["id", "vec"]


def test_columns_from_parquet_are_accepted(embeddings, tmp_path, any_spark):
    embeddings.write.parquet(f"{tmp_path}/embeddings")
    read = any_spark.read.parquet(f"{tmp_path}/embeddings")
    assert read.schema["words"].dataType != ANNOTATION_COLUMN_TYPE  # else this test tests nothing
    arrays = EmbeddingsFinisher(inputCols=["words"]).transform(read)
    finisher = EmbeddingsFinisher(inputCols=["whole"], outputCols=["vec"], outputAsVector=True, cleanAnnotations=True)
    finished = finisher.transform(arrays)
    assert finished.columns == ["id", "finished_words", "vec"]
    for row in finished.collect():
        assert row.finished_words == rounded(VECTORS[row.id])
        whole = VECTORS[row.id] and VECTORS[row.id][:1]
        assert [one and list(one.toArray()) for one in row.vec or []] == (rounded(whole) or [])


def test_schemas_are_as_recorded(spark, recorded_schema):
    for name, params in [
        ("embeddingsfinisher-default", {}),
        (
            "embeddingsfinisher-vector-clean",
            {"outputAsVector": True, "cleanAnnotations": True, "outputCols": ["vec"]},
        ),
    ]:
        recorded = recorded_schema(name)
        (output,) = [field for field in recorded["fields"] if field["name"] in {"finished_embeddings", "vec"}]
        source = recorded_schema("albert")["fields"]
        columns = [F.lit(None).cast("string").alias("id"), F.lit(None).cast("string").alias("text")]
        frame = spark.range(1).select(*columns)
        for field in source[2:]:
            nothing = F.lit(None).cast(ANNOTATION_COLUMN_TYPE)
            frame = frame.withColumn(field["name"], nothing).withMetadata(field["name"], field["metadata"])
        assert [json.loads(field.json()) for field in frame.schema.fields] == source
        found = EmbeddingsFinisher(inputCols=["embeddings"], **params).transform(frame).schema
        assert found.names == recorded["columns"]
        assert json.loads(found[output["name"]].json()) == output
        assert [json.loads(field.json()) for field in found.fields] == recorded["fields"]


def test_no_python_and_no_job(spark, no_spark_job):
    frame = spark.range(1).select(F.lit(None).cast(ANNOTATION_COLUMN_TYPE).alias("words"))
    for as_vector in (False, True):
        finisher = EmbeddingsFinisher(inputCols=["words"], outputAsVector=as_vector)
        with no_spark_job():
            finished = finisher.transform(frame)
        assert "Python" not in finished._jdf.queryExecution().executedPlan().toString()


def test_wrong_columns(spark):
    frame = spark.range(1).select(
        F.lit("x").alias("text"),
        F.lit(None).cast(ANNOTATION_COLUMN_TYPE).alias("words"),
        F.lit(None).cast(ANNOTATION_COLUMN_TYPE).alias("token"),
    )
    frame = frame.withMetadata("token", {"annotatorType": "token"})
    for columns, message in [
        (["nope"], r"(?i)dataset does not have any 'nope' column"),
        (["text"], r"column \[text\] must be an NLP Annotation column, found string"),
        (
            ["words", "token"],
            r"column \[token\] must be a type of either WordEmbeddings, .*SentenceEmbeddings, found token",
        ),
    ]:
        with pytest.raises(ColumnError, match=message):
            EmbeddingsFinisher(inputCols=columns).transform(frame)
    with pytest.raises(ParamError, match="inputCols and outputCols length must match"):
        EmbeddingsFinisher(inputCols=["words"], outputCols=["a", "b"]).transform(frame)
    with pytest.raises(ParamError, match="has no inputCols"):
        EmbeddingsFinisher().transform(frame)


def test_names_come_as_names_or_as_one_list():
    for arguments in [("a", "b"), (["a", "b"],)]:
        finisher = EmbeddingsFinisher().setInputCols(*arguments).setOutputCols(*arguments)
        assert finisher.getInputCols() == finisher.getOutputCols() == ["a", "b"]
