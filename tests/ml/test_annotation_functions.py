"""Python functions over annotation columns, as Spark NLP's scripts use them."""

import pytest
from pyspark.sql import functions as F

from sparkalbert import DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import add_column
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE

PROGRAM = """
from sparknlp.annotation import Annotation
from sparknlp.common import *
from sparknlp.functions import *

def long_words(annotations):
    return [word.copy(word.result.upper()) for word in annotations if len(word.result) > 3]

upper = map_annotations(long_words, Annotation.arrayType())
strict = result.select(map_annotations_strict(long_words)("token").alias("upper"))
chosen = result.select(upper("token").alias("upper"))
chunks = map_annotations_col(
    result,
    lambda found: [Annotation("chunk", a.begin, a.end, a.result, a.metadata, a.embeddings) for a in found],
    "token", "chunks", AnnotatorType.CHUNK,
)
both = map_annotations_cols(result, lambda found: found, ["sentence", "token"], "both", "chunk")
exploded = explode_annotations_col(result, "token", "token")
loved = filter_by_annotations_col(exploded, lambda annotation: annotation.result == "love", "token")
"""
TEXTS = ["I love NLP. You too.", "", None]


@pytest.fixture
def result(any_spark):
    frame = any_spark.createDataFrame([(text,) for text in TEXTS], "text string").coalesce(1)
    for stage in (
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]).fit(frame),
    ):
        frame = stage.transform(frame)
    return frame


@pytest.fixture
def names(result):
    found = {"result": result}
    exec(PROGRAM.replace("sparknlp.", "sparkalbert."), found)  # noqa: S102 - star imports need a module of their own
    return found


def results(frame, column):
    return [None if row[column] is None else [a.result for a in row[column]] for row in frame.collect()]


def test_a_ported_program(names, result):
    assert results(names["chosen"], "upper") == results(names["strict"], "upper") == [["LOVE"], [], []]
    chunks = names["chunks"]
    assert chunks.columns == [*result.columns, "chunks"]
    assert chunks.schema["chunks"].metadata == {"annotatorType": "chunk"}
    assert {a.annotatorType for row in chunks.collect() for a in row.chunks} == {"chunk"}
    assert results(chunks, "chunks") == results(result, "token")
    assert results(names["both"], "both")[0] == ["I love NLP.", "You too.", "I", "love", "NLP", ".", "You", "too", "."]
    assert [row.token.result for row in names["exploded"].collect()] == results(result, "token")[0]
    assert names["exploded"].columns == result.columns
    (row,) = names["loved"].collect()
    assert (row.token.result, row.token.begin, row.text) == ("love", 2, TEXTS[0])


def test_a_null_row_stays_null(spark):
    from sparkalbert.functions import Annotation, map_annotations, map_annotations_array

    schema = Annotation.arrayType()
    frame = spark.createDataFrame([(None,)], f"found {schema.simpleString()}")
    same = map_annotations(lambda found: found, schema)("found").alias("found")
    assert frame.select(same).head().found is None
    joined = map_annotations_array(lambda found: found, schema)
    assert frame.selectExpr("array(found) as founds").select(joined("founds").alias("found")).head().found == []


def test_a_missing_column_is_named(result):
    from sparkalbert.functions import explode_annotations_col, map_annotations_col

    with pytest.raises(ColumnError, match=r"does not have any 'tokens' column\. Did you mean 'token'\?"):
        explode_annotations_col(result, "tokens", "word")
    with pytest.raises(ColumnError, match="map_annotations_col: the dataset"):
        map_annotations_col(result, lambda found: found, "tokens", "words", "token")


def test_only_the_output_column_is_replaced(any_spark, setting):
    """Not a column of another spelling, and not one that shares its name with another."""
    from sparkalbert.functions import explode_annotations_col, map_annotations_col, map_annotations_cols

    def same(found):
        return found

    frame = any_spark.range(1).crossJoin(any_spark.range(1))
    for name in ("Token", "token"):
        frame = add_column(frame, name, F.lit(None).cast(ANNOTATION_COLUMN_TYPE), {"annotatorType": "token"})
    with setting(any_spark, "spark.sql.caseSensitive", "true"):
        for made, kind in (
            (map_annotations_col(frame, same, "token", "token", "chunk"), "chunk"),
            (map_annotations_cols(frame, same, ["token", "Token"], "token", "chunk"), "chunk"),
            (explode_annotations_col(frame, "token", "token"), None),
        ):
            assert made.columns == ["id", "id", "Token", "token"]
            assert [field.metadata.get("annotatorType") for field in made.schema] == [None, None, "token", kind]


SPARK_NLPS_TYPES = [
    "AUDIO", "CATEGORY", "CHUNK", "DATE", "DEPENDENCY", "DOCUMENT", "DOC_SIMILARITY_RANKINGS", "DUMMY", "ENTITY",
    "IMAGE", "LABELED_DEPENDENCY", "LANGUAGE", "NAMED_ENTITY", "NEGEX", "NODE", "POS", "SENTENCE_EMBEDDINGS",
    "SENTIMENT", "TABLE", "TOKEN", "WORDPIECE", "WORD_EMBEDDINGS",
]  # fmt: skip
"""Of 5.5.3; the value of each is its name in lower case."""


def test_spark_nlps_import_paths():
    from sparkalbert import annotator, embeddings
    from sparkalbert.common import AnnotatorType, ReadAs

    assert {name: value for name, value in vars(AnnotatorType).items() if not name.startswith("_")} == {
        name: name.lower() for name in SPARK_NLPS_TYPES
    }
    assert annotator.ReadAs is ReadAs
    assert (ReadAs.TEXT, ReadAs.SPARK, ReadAs.BINARY) == ("TEXT", "SPARK", "BINARY")
    assert annotator.TextMatcher().setEntities("phrases.txt", ReadAs.TEXT).uid
    assert embeddings.AlbertEmbeddings is annotator.AlbertEmbeddings
    assert embeddings.AlbertEmbeddings.outputAnnotatorType == AnnotatorType.WORD_EMBEDDINGS
