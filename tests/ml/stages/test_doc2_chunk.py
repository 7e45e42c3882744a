import pytest

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import Doc2Chunk, DocumentAssembler, LightPipeline, SentenceDetector

ROWS = [
    (0, "Spark nlp is NLP. spark is nlp", "nlp", ["nlp", "Spark", "nope", "is"], 12, 3),
    (1, "Hello 😀 world hello", "world", ["world", "hello", "", None, "😀"], 8, 2),
    (2, "abc", None, None, 0, 0),
    (3, "abc", " ", ["", "  "], 0, 0),
    (4, None, "a", ["a"], 0, 0),
    (5, "aa b  aa c aa", "aa", ["aa", "aa"], None, 5),
    (6, "A a", "A", ["A"], 5, -1),
    (7, "x y", " y", [" y"], -3, 9),
]
SCHEMA = "id int, text string, target string, many array<string>, start int, word int"


@pytest.fixture
def documents(any_spark):
    return DocumentAssembler(inputCol="text").transform(any_spark.createDataFrame(ROWS, SCHEMA).coalesce(1))


def chunks(frame, **params):
    stage = Doc2Chunk(**{"inputCols": ["document"], "outputCol": "c", **params})
    rows = stage.transform(frame).orderBy("id").collect()
    return [row.c and [(a.begin, a.end, a.result, a.metadata["chunk"]) for a in row.c] for row in rows]


# The expected values were seen on Spark NLP 5.5.3, which fails on a null text and a word index beyond.
def test_a_text_is_found_where_it_first_stands(documents):
    assert chunks(documents, chunkCol="target") == [
        [(6, 8, "nlp", "0")], [(9, 13, "world", "0")], [], [], [], [(0, 1, "aa", "0")], [(0, 0, "A", "0")],
        [(1, 2, " y", "0")],
    ]  # fmt: skip


def test_the_document_may_be_lower_cased(documents):
    found = chunks(documents, chunkCol="target", lowerCase=True)
    assert found[0] == [(6, 8, "nlp", "0")]
    assert found[6] == []


def test_arrays_of_texts(documents):
    assert chunks(documents, chunkCol="many", isArray=True, startCol="start") == [
        [(6, 8, "nlp", "0"), (0, 4, "Spark", "1"), (10, 11, "is", "3")],
        [(9, 13, "world", "0"), (15, 19, "hello", "1"), (6, 7, "😀", "4")],
        [], [], [], [(0, 1, "aa", "0"), (0, 1, "aa", "1")], [(0, 0, "A", "0")], [(1, 2, " y", "0")],
    ]  # fmt: skip


def test_the_search_begins_at_a_unit_or_a_word(documents):
    found = chunks(documents, chunkCol="target", startCol="start")
    assert [found[number] for number in (0, 1, 5, 6, 7)] == [
        [(27, 29, "nlp", "0")], [(9, 13, "world", "0")], None, [], [(1, 2, " y", "0")],
    ]  # fmt: skip
    found = chunks(documents, chunkCol="target", startCol="word", startColByTokenIndex=True)
    assert [found[number] for number in (0, 1, 5, 6, 7)] == [
        [(27, 29, "nlp", "0")], [(9, 13, "world", "0")], [(11, 12, "aa", "0")], [], [],
    ]  # fmt: skip


def test_without_texts_a_document_is_a_chunk(documents):
    found = chunks(documents)
    assert found[1] == [(0, 19, "Hello 😀 world hello", "0")]
    assert found[4] == [(0, -1, "", "0")]


def test_places_count_from_each_sentence(any_spark):
    """As in Spark NLP, although a chunk's sentence begins elsewhere."""
    frame = any_spark.createDataFrame(
        [(0, "A dog ran. A dog sat. Dog.", ["dog", "A dog"])], "id int, text string, many array<string>"
    )
    sentences = SentenceDetector(inputCols=["document"]).transform(DocumentAssembler(inputCol="text").transform(frame))
    stage = Doc2Chunk(inputCols=["sentence"], outputCol="c", chunkCol="many", isArray=True)
    found = stage.transform(sentences).first().c
    assert [(a.begin, a.end, a.result, a.metadata) for a in found] == [
        (2, 4, "dog", {"sentence": "0", "chunk": "0"}),
        (0, 4, "A dog", {"sentence": "0", "chunk": "1"}),
        (2, 4, "dog", {"sentence": "1", "chunk": "0"}),
        (0, 4, "A dog", {"sentence": "1", "chunk": "1"}),
    ]


def test_a_missing_text_can_fail_the_job_without_being_shown(any_spark):
    frame = any_spark.createDataFrame([(0, "abc", "secret")], "id int, text string, target string")
    frame = DocumentAssembler(inputCol="text").transform(frame)
    stage = Doc2Chunk(inputCols=["document"], outputCol="c", chunkCol="target", failOnMissing=True)
    with pytest.raises(Exception, match=r"a text of column 'target' is not in its document") as caught:
        stage.transform(frame).collect()
    assert "secret" not in str(caught.value)
    assert chunks(frame.selectExpr("id", "document", "'b' AS target"), chunkCol="target", failOnMissing=True)


def test_no_python_and_no_job(spark, no_spark_job):
    texts = spark.range(1).selectExpr("'a b' AS text", "'b' AS target", "0 AS start")
    documents = DocumentAssembler(inputCol="text").transform(texts)
    stage = Doc2Chunk(inputCols=["document"], outputCol="c", chunkCol="target", startCol="start", lowerCase=True)
    with no_spark_job():
        found = stage.transform(documents)
    assert "Python" not in found._jdf.queryExecution().executedPlan().toString()


def test_wrong_columns(documents):
    for params, message in [
        ({"chunkCol": "many"}, r"'many' is array<string>, expected string \(isArray is not set\)"),
        (
            {"chunkCol": "target", "isArray": True},
            r"'target' is string, expected array<string> \(isArray is set\)",
        ),
        ({"chunkCol": "nope"}, "does not have any 'nope' column"),
        ({"chunkCol": "target", "startCol": "text"}, "'text' is string, expected an integer"),
        ({"inputCols": ["text"]}, "Wrong or missing inputCols annotators"),
    ]:
        with pytest.raises(ColumnError, match=message):
            chunks(documents, **params)
    with pytest.raises(ParamError, match="has no inputCols"):
        Doc2Chunk().transform(documents)


def test_a_light_pipeline_has_no_column_to_read():
    """Spark NLP's refuses it too."""
    stages = [DocumentAssembler(inputCol="text"), Doc2Chunk(inputCols=["document"], outputCol="c")]
    with pytest.raises(ParamError, match="does not support LightPipeline"):
        LightPipeline(stages).annotate("a")
    assert LightPipeline(stages).setIgnoreUnsupported(True).annotate("a") == {"document": ["a"]}
