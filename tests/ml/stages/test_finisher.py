import pytest
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import EmbeddingsFinisher, Finisher
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE

MANY = {key: key.upper() for key in ("sentence", "chunk", "entity", "zz", "id", "héé", "x1", "名")}
WORD = {"sentence": "0", "token": "a", "pieceId": "5", "isWordStart": "true", "isOOV": "false"}
TOKENS = [
    ("token", 0, 1, "a", {"sentence": "0"}, []),
    ("token", 2, 3, "b@#c", {"sentence": "0", "k": "v", "n": None}, []),
]
ROWS = {
    "a": (TOKENS, [("word_embeddings", 0, 0, "a", WORD, [1.0, 2.0]), ("word_embeddings", 2, 2, "b", {}, [])]),
    "b": ([], []),
    "c": (None, None),
    "d": ([("token", 0, 1, None, {}, []), ("token", 2, 3, "", None, [])], []),
    "e": ([("token", 0, 0, "a", MANY, [])], [("sentence_embeddings", 0, 0, "a", {}, [1e-5, 1e7, 0.1, 3e38])]),
    "f": ([("token", 0, 0, "a", {"x -> y": "z -> z"}, [])], []),
}


@pytest.fixture
def annotations(any_spark):
    """Tokens and embeddings, some of them odd."""
    schema = f"id string, t {ANNOTATION_COLUMN_TYPE.simpleString()}, e {ANNOTATION_COLUMN_TYPE.simpleString()}"
    return any_spark.createDataFrame([(name, *row) for name, row in ROWS.items()], schema).coalesce(1)


def finished(annotations, column, **params):
    stage = Finisher(inputCols=[column], outputCols=["out"], **params)
    return {row.id: row.asDict() for row in stage.transform(annotations).collect()}


# The expected values were seen on Spark NLP 5.5.3; it fails on null rows and null metadata.
def test_results_as_arrays(annotations):
    found = finished(annotations, "t", includeMetadata=True)
    assert [found[name]["out"] for name in "abcde"] == [["a", "b@#c"], [], None, [None, ""], ["a"]]
    pairs = {name: row["out_metadata"] and [tuple(pair) for pair in row["out_metadata"]] for name, row in found.items()}
    assert pairs["a"] == [("sentence", "0"), ("sentence", "0"), ("k", "v"), ("n", None)]
    assert (pairs["b"], pairs["c"], pairs["d"]) == ([], None, [])
    in_order = ["chunk", "名", "héé", "id", "zz", "entity", "x1", "sentence"]
    assert pairs["e"] == [(key, MANY[key]) for key in in_order]


def test_results_as_one_string(annotations):
    found = finished(annotations, "t", outputAsArray=False)
    assert [found[name]["out"] for name in "abcde"] == ["a@b@#c", "", None, "null@", "a"]
    found = finished(annotations, "t", outputAsArray=False, annotationSplitSymbol="|", valueSplitSymbol="~")
    assert found["a"]["out"] == "a|b@#c"


def test_metadata_in_the_string(annotations):
    found = finished(annotations, "t", outputAsArray=False, includeMetadata=True)
    assert found["a"]["out"] == "sentence->0#result->a@sentence->0#k->v#n->null#result->b@#c"
    assert [found[name]["out"] for name in "bcd"] == ["", None, "result->null@result->"]
    assert found["e"]["out"] == (
        "chunk->CHUNK#名->名#héé->HÉÉ#result->a#id->ID#zz->ZZ#entity->ENTITY#x1->X1#sentence->SENTENCE"
    )
    assert found["f"]["out"] == "x->y->z->z#result->a"
    assert "out_metadata" not in found["a"]


def test_vectors_as_text(annotations):
    found = finished(annotations, "e", parseEmbeddingsVectors=True)
    assert [found[name]["out"] for name in "abce"] == [["1.0 2.0", ""], [], None, ["1.0E-5 1.0E7 0.1 3.0E38"]]
    found = finished(annotations, "e", parseEmbeddingsVectors=True, outputAsArray=False)
    assert found["a"]["out"] == "1.0#2.0@"
    found = finished(annotations, "e", parseEmbeddingsVectors=True, outputAsArray=False, includeMetadata=True)
    assert found["a"]["out"] == (
        "isOOV->false#result->a#pieceId->5#isWordStart->true#token->a#embeddings->1.0#2.0#sentence->0"
        "@result->b#embeddings->"
    )
    assert finished(annotations, "t", parseEmbeddingsVectors=True)["a"]["out"] == ["a", "b@#c"]


def test_columns(annotations):
    plain = Finisher(inputCols=["t", "e"]).transform(annotations)
    assert plain.columns == ["id", "finished_t", "finished_e"]
    both = Finisher(inputCols=["t", "e"], outputCols=["a", "b"], includeMetadata=True, cleanAnnotations=False)
    assert both.transform(annotations).columns == ["id", "t", "e", "a", "b", "a_metadata", "b_metadata"]


def test_no_python_and_no_job(spark, no_spark_job):
    frame = spark.range(1).select(F.lit(None).cast(ANNOTATION_COLUMN_TYPE).alias("t"))
    for as_array in (True, False):
        stage = Finisher(inputCols=["t"], outputAsArray=as_array, includeMetadata=True, parseEmbeddingsVectors=True)
        with no_spark_job():
            result = stage.transform(frame)
        assert "Python" not in result._jdf.queryExecution().executedPlan().toString()


def test_wrong_columns(spark):
    frame = spark.range(1).select(F.lit("x").alias("text"), F.lit(None).cast(ANNOTATION_COLUMN_TYPE).alias("t"))
    with pytest.raises(ColumnError, match="does not have any 'nope' column"):
        Finisher(inputCols=["nope"]).transform(frame)
    with pytest.raises(ColumnError, match=r"column \[text\] must be an NLP Annotation column, found string"):
        Finisher(inputCols=["t", "text"]).transform(frame)
    with pytest.raises(ParamError, match="inputCols and outputCols length must match, found 1 and 2"):
        Finisher(inputCols=["t"], outputCols=["a", "b"]).transform(frame)
    with pytest.raises(ParamError, match="has no inputCols"):
        Finisher().transform(frame)


@pytest.mark.parametrize("stage_class", [Finisher, EmbeddingsFinisher])
def test_two_new_columns_of_one_name_are_refused(annotations, stage_class):
    for params in ({"outputCols": ["x", "x"]}, {"outputCols": ["x", "X"]}, {"inputCols": ["e", "e"]}):
        stage = stage_class(**{"inputCols": ["t", "e"], "cleanAnnotations": False, **params})
        with pytest.raises(ColumnError, match=r"output column '(x|X|finished_e)' already exists"):
            stage.transform(annotations)


def test_a_new_column_is_not_called_as_the_metadata_of_another(annotations):
    stage = Finisher(inputCols=["t", "e"], outputCols=["a", "a_metadata"], cleanAnnotations=False)
    assert stage.transform(annotations).columns[-2:] == ["a", "a_metadata"]
    with pytest.raises(ColumnError, match="output column 'a_metadata' already exists"):
        stage.setIncludeMetadata(True).transform(annotations)


def test_names_of_the_new_columns():
    finisher = Finisher().setInputCols("a", "b")
    assert finisher.getOutputCols() == ["finished_a", "finished_b"]
    assert finisher.setOutputCols(["x", "y"]).getOutputCols() == ["x", "y"]
