"""Every stage takes and gives columns of any name, in upper and lower case as Spark is set, and within structs."""

from types import SimpleNamespace

import pytest
from pyspark.ml import Pipeline
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError
from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    NGramGenerator,
    SentenceDetector,
    SentenceEmbeddings,
    Tokenizer,
)
from tests import tiny_bundle

CASE = "spark.sql.caseSensitive"


def stages(named=str, *, explode=False):
    """One of each stage, with every column called what `named` makes of a name."""
    model = str(tiny_bundle.bundle().path)
    document, sentence, token, vectors = map(named, ("document", "sentence", "token", "embeddings"))
    return [
        DocumentAssembler(
            inputCol=named("text"), outputCol=document, idCol=named("id"), metadataCol=named("meta")
        ),
        SentenceDetector(inputCols=[document], outputCol=sentence, explodeSentences=explode),
        Tokenizer(inputCols=[sentence], outputCol=token),
        AlbertEmbeddings(model=model, inputCols=[token, sentence], outputCol=vectors),
        SentenceEmbeddings(inputCols=[sentence, vectors], outputCol=named("pooled")),
        NGramGenerator(inputCols=[token], outputCol=named("ngrams")),
        Doc2Chunk(
            inputCols=[document], outputCol=named("chunk"), chunkCol=named("target"), startCol=named("start")
        ),
        ChunkEmbeddings(inputCols=[named("ngrams"), vectors], outputCol=named("chunked")),
        AlbertEmbeddings(model=model, inputCols=[named("tokens")], outputCol=named("list vectors")),
        EmbeddingsFinisher(inputCols=[vectors], outputCols=[named("finished vectors")]),
        Finisher(
            inputCols=[token], outputCols=[named("finished")], includeMetadata=True, cleanAnnotations=True
        ),
    ]  # fmt: skip


COLUMNS = ["id", "text", "meta", "target", "start", "tokens"]
ROWS = [(1, "One small step. Two more.", {"src": "x"}, "small", 2, ["a", "b"]), (2, None, None, None, 0, None)]


def frame_of(spark, named=str):
    frame = spark.createDataFrame(
        ROWS, "id int, text string, meta map<string,string>, target string, start int, tokens array<string>"
    )
    return frame.toDF(*map(named, COLUMNS)).coalesce(1)


def through(frame, pipeline):
    return Pipeline(stages=pipeline).fit(frame).transform(frame)


@pytest.fixture(scope="module")
def expected(spark):
    """All columns of all stages with plain names, computed once in the classic session."""
    annotated, finished = (through(frame_of(spark), some) for some in (stages()[:-1], stages()))
    rows = annotated.collect()
    return SimpleNamespace(
        annotated=rows,
        metadata=[field.metadata for field in annotated.schema],
        finished=[row.asDict() | made.asDict() for row, made in zip(rows, finished.collect(), strict=True)],
    )


def test_any_name_is_taken_and_given_by_every_stage(any_spark, expected):
    def odd(name):
        return f"{name}.a b`c``'ß"

    made = through(frame_of(any_spark, odd), stages(odd))
    names = [*COLUMNS, "list vectors", "finished vectors", "finished", "finished_metadata"]
    assert through(frame_of(any_spark), stages()).columns == names
    assert made.columns == [*map(odd, names[:-1]), f"{odd('finished')}_metadata"]
    assert [tuple(row) for row in made.collect()] == [tuple(row[name] for name in names) for row in expected.finished]
    annotated = through(frame_of(any_spark, odd), stages(odd)[:-1])
    assert [tuple(row) for row in annotated.collect()] == [tuple(row) for row in expected.annotated]
    assert [field.metadata for field in annotated.schema] == expected.metadata


def test_sentences_in_rows_of_their_own_have_any_name(any_spark):
    exploded = through(frame_of(any_spark, "{}.` x".format), stages("{}.` x".format, explode=True)[:4])
    plain = through(frame_of(any_spark), stages(explode=True)[:4])
    rows = plain.collect()
    assert [tuple(row) for row in exploded.collect()] == [tuple(row) for row in rows]
    assert exploded.columns == [f"{name}.` x" for name in plain.columns]
    assert [row.sentence[0].result for row in rows] == ["One small step.", "Two more."]


def test_names_follow_the_setting_for_upper_and_lower_case(any_spark, setting, expected):
    frame, pipeline = frame_of(any_spark, str.title), stages()
    for stage in pipeline:
        for name in ("inputCols", "outputCols"):
            if stage.hasParam(name) and stage.isDefined(name):
                stage.set(stage.getParam(name), [column.upper() for column in stage.getOrDefault(name)])
    made = through(frame, pipeline).select("finished", "list vectors").collect()
    assert [tuple(row) for row in made] == [(row["finished"], row["list vectors"]) for row in expected.finished]
    with setting(any_spark, CASE, "true"):
        with pytest.raises(ColumnError, match=r"does not have any 'text' column\. Did you mean 'Text'\?"):
            through(frame, pipeline)
        with pytest.raises(ColumnError, match=r"does not have any 'DOCUMENT' column\. Did you mean 'document'\?"):
            through(frame_of(any_spark), pipeline)
        twice = DocumentAssembler(inputCol="text", outputCol="Text").transform(frame_of(any_spark))
        assert twice.columns == [*COLUMNS, "Text"]
    with pytest.raises(ColumnError, match="output column 'Text' already exists"):
        DocumentAssembler(inputCol="text", outputCol="Text").transform(frame_of(any_spark))


def test_fields_of_structs_are_inputs(any_spark, expected):
    nested = frame_of(any_spark).select(F.struct(*COLUMNS).alias("Row"))
    made = through(nested, [stage for stage in stages("row.{}".format) if isinstance(stage, DocumentAssembler)])
    assert [row[-1] for row in made.collect()] == [row.document for row in expected.annotated]
    chunks = Doc2Chunk(inputCols=["document"], outputCol="chunk", chunkCol="row.target", startCol="row.start")
    lists = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["row.tokens"], outputCol="v")
    document = made.withColumnRenamed("row.document", "document")
    assert [[one.result for one in row.chunk] for row in chunks.transform(document).collect()] == [["small"], []]
    assert [row.v for row in lists.transform(nested).collect()] == [row["list vectors"] for row in expected.annotated]


def test_annotations_within_a_struct_are_inputs(any_spark, expected):
    annotated = through(frame_of(any_spark), stages()[:3])
    nested = annotated.select(F.struct("document", "sentence", "token").alias("all"))
    model = str(tiny_bundle.bundle().path)
    stage = AlbertEmbeddings(model=model, inputCols=["all.sentence", "ALL.token"], outputCol="embeddings")
    pooled = SentenceEmbeddings(inputCols=["all.sentence", "embeddings"], outputCol="pooled")
    tokens = NGramGenerator(inputCols=["all.token"], outputCol="ngrams")
    made = through(nested, [stage, pooled, tokens]).select("embeddings", "pooled", "ngrams").collect()
    assert [tuple(row) for row in made] == [(row.embeddings, row.pooled, row.ngrams) for row in expected.annotated]


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("on_error", ["fail", "null"])
def test_other_columns_may_share_a_name(any_spark, on_error, explode):
    """As after a join; only a column that a stage reads must be the only one of its name."""
    frame = frame_of(any_spark).drop("id", "start")
    twice = frame.crossJoin(any_spark.range(1)).crossJoin(any_spark.range(1))
    pipeline = stages(explode=explode)
    pipeline[0].clear(pipeline[0].idCol)
    pipeline[6].clear(pipeline[6].startCol)
    for stage in pipeline:
        if isinstance(stage, AlbertEmbeddings):
            stage.setOnError(on_error)
    made, expected = through(twice, pipeline), through(frame, pipeline)
    assert made.columns == [*frame.columns, "id", "id", *expected.columns[4:]]
    assert [row[:4] + row[6:] for row in made.collect()] == [tuple(row) for row in expected.collect()]
    annotated, same = through(twice, pipeline[:8]), through(frame, pipeline[:8])
    assert [field.jsonValue() for field in annotated.schema][6:] == [field.jsonValue() for field in same.schema][4:]
    with pytest.raises(ColumnError, match="column 'id' is ambiguous, the dataset has 'id', 'id'"):
        stages()[0].transform(twice)
