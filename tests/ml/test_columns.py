"""Columns by name as Spark resolves names, and annotation columns by their types."""

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType

from sparkalbert.errors import ColumnError
from sparkalbert.ml.columns import (
    add_column,
    annotator_type,
    check_output,
    find_annotation_columns,
    find_column,
    put_column,
    quote_name,
)
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, ANNOTATION_TYPE

CASE = "spark.sql.caseSensitive"
ODD_NAMES = ["a.b", "a b", "a`b", "`", ".", "a.b c`d", "ß", "select", "a,b", "'", "a\\b"]


def frame_of(spark, **values):
    return spark.range(1).select(*(F.lit(value).alias(name) for name, value in values.items()))


def value(frame, name):
    """What Spark reads from the column that was found."""
    return frame.select(find_column(frame, name, "stage").column.alias("v")).first().v


def annotations(frame, name, kind=None, data_type=ANNOTATION_COLUMN_TYPE):
    metadata = None if kind is None else {"annotatorType": kind}
    return add_column(frame, name, F.lit(None).cast(data_type), metadata)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_found_and_added_with_its_metadata(any_spark, name):
    frame = add_column(frame_of(any_spark, x=1), name, F.lit("here"), {"annotatorType": "token"})
    found = find_column(frame, name, "stage")
    assert (found.name, annotator_type(found.field)) == (name, "token")
    assert value(frame, name) == "here"
    assert frame.select(quote_name(name)).columns == [name]


def test_metadata_stays_out_where_there_is_none(any_spark):
    frame = add_column(frame_of(any_spark, x=1), "plain", F.lit(1))
    assert annotator_type(frame.schema["plain"]) is None


def test_upper_and_lower_case_count_as_spark_is_set(any_spark, setting):
    frame = frame_of(any_spark, Text="a")
    assert find_column(frame, "text", "stage").name == "Text"
    assert value(frame, "tEXT") == "a"
    with pytest.raises(ColumnError, match="stage: output column 'text' already exists"):
        check_output(frame, "text", "stage")
    with setting(any_spark, CASE, "true"):
        with pytest.raises(ColumnError, match=r"does not have any 'text' column\. Did you mean 'Text'\?"):
            find_column(frame, "text", "stage")
        check_output(frame, "text", "stage")
        assert value(frame, "Text") == "a"


def test_names_that_differ_in_case_only_are_one_name_by_default(any_spark, setting):
    frame = frame_of(any_spark, Text="a", text="b")
    for name in ("text", "Text", "TEXT"):
        with pytest.raises(ColumnError, match=f"column '{name}' is ambiguous, the dataset has 'Text', 'text'"):
            find_column(frame, name, "stage")
    with setting(any_spark, CASE, "true"):
        assert (value(frame, "Text"), value(frame, "text")) == ("a", "b")


def test_two_columns_of_one_name_are_refused_by_name(any_spark):
    one = frame_of(any_spark, text="a")
    both = one.crossJoin(frame_of(any_spark, text="b", other="c"))
    with pytest.raises(ColumnError, match="column 'text' is ambiguous, the dataset has 'text', 'text'"):
        find_column(both, "text", "stage")
    assert value(both, "other") == "c"


@pytest.mark.parametrize("name", ["v", "a.b", "a`b"])
def test_a_column_is_replaced_in_its_place(any_spark, name):
    """The others may share a name; a column that keeps its place is found by the frame that it came from."""
    one, other = frame_of(any_spark, text="a"), frame_of(any_spark, text="b")
    twice = add_column(one.crossJoin(other), name, F.lit("old"), {"annotatorType": "token"})
    frame = add_column(twice, "last", F.lit(2))
    made = put_column(frame, name, F.lit("new"), "function", {"annotatorType": "chunk"})
    assert made.columns == ["text", "text", name, "last"]
    assert [field.metadata for field in made.schema] == [{}, {}, {"annotatorType": "chunk"}, {}]
    assert made.select(other.text, quote_name(name)).collect() == [("b", "new")]
    assert put_column(made, name, F.lit(1), "function").columns == made.columns
    assert put_column(twice, "more", F.lit(1), "function").columns == ["text", "text", name, "more"]


def test_only_the_column_of_that_name_is_replaced(any_spark, setting):
    frame = frame_of(any_spark, Text="a", text="b")
    with pytest.raises(ColumnError, match="function: column 'text' is ambiguous, the dataset has 'Text', 'text'"):
        put_column(frame, "text", F.lit("c"), "function")
    with setting(any_spark, CASE, "true"):
        made = put_column(frame, "text", F.lit("c"), "function", {"annotatorType": "chunk"})
        assert (made.columns, made.collect()) == (["Text", "text"], [("a", "c")])
        assert [field.metadata for field in made.schema] == [{}, {"annotatorType": "chunk"}]


@pytest.fixture
def nested(any_spark):
    """A struct with fields of odd names, and columns whose names look like paths."""
    inner = F.struct(F.lit("in").alias("Text"), F.struct(F.lit(2).alias("n`n"), F.lit(3).alias("z")).alias("deep"))
    frame = any_spark.range(1).select(inner.alias("Doc"), F.lit("whole").alias("doc.title"))
    return add_column(frame, "twice", F.struct(F.lit(1).alias("a"), F.lit(2).alias("A")))


def test_a_dot_leads_into_a_struct_unless_it_is_part_of_a_name(nested):
    assert value(nested, "doc.text") == "in"
    assert find_column(nested, "doc.text", "stage").name == "Doc.Text"
    assert value(nested, "Doc.deep.n`n") == 2
    assert value(nested, "doc.title") == "whole"
    assert find_column(nested, "doc.deep", "stage").type.fieldNames() == ["n`n", "z"]


def test_a_dot_leads_into_a_map_and_into_each_struct_of_a_list(any_spark):
    one, two = (F.struct(F.lit(text).alias("Body"), F.array(F.lit(text)).alias("words")) for text in "ab")
    props = F.create_map(F.lit("body"), F.lit("x"), F.lit("a.b"), F.lit("y"))
    deep = F.create_map(F.lit("k"), F.struct(F.lit(7).alias("n")))
    frame = any_spark.range(1).select(F.array(one, two).alias("parts"), props.alias("Props"), deep.alias("deep"))
    assert value(frame, "parts.body") == ["a", "b"]
    assert find_column(frame, "PARTS.body", "stage").name == "parts.Body"
    assert find_column(frame, "parts.words", "stage").type.simpleString() == "array<array<string>>"
    assert value(frame, "props.body") == "x"
    assert find_column(frame, "props.body", "stage").type.simpleString() == "string"
    assert value(frame, "props.Body") is None, "keys of a map are not names"
    assert value(frame, "deep.k.n") == 7
    for name in ("parts.nothing", "deep.k.nothing", "props.body.more"):
        with pytest.raises(ColumnError, match=f"does not have any '{name}' column"):
            find_column(frame, name, "stage")
    for name in ("parts.body", "parts.words", "props.body", "deep.k.n"):
        (spark_type,) = (field.dataType for field in frame.select(name).schema)
        assert find_column(frame, name, "stage").type.simpleString() == spark_type.simpleString()


@pytest.mark.parametrize("name", ["doc.nothing", "doc.text.more", "doc.", ".text", "nope.text", "doc.deep.z.z"])
def test_an_unknown_path_names_the_columns(nested, name):
    with pytest.raises(
        ColumnError, match=rf"stage: the dataset does not have any '{name}' column\..* Its columns: Doc"
    ):
        find_column(nested, name, "stage")


def test_an_ambiguous_field_is_refused_by_name(nested):
    with pytest.raises(ColumnError, match=r"column 'a' is ambiguous, the dataset has 'a', 'A'"):
        find_column(nested, "twice.a", "stage")


def test_annotation_columns_are_identified_by_their_metadata(any_spark):
    frame = annotations(annotations(frame_of(any_spark, x=1), "t.1", "token"), "s", "document")
    for names in (["t.1", "s"], ["s", "T.1"]):
        found = find_annotation_columns(frame, names, ["document", "token"], "stage")
        assert {kind: column.name for kind, column in found.items()} == {"document": "s", "token": "t.1"}


def test_without_metadata_their_order_decides(any_spark):
    frame = annotations(annotations(frame_of(any_spark, x=1), "one"), "two", "token")
    found = find_annotation_columns(frame, ["one", "two"], ["document", "token"], "stage")
    assert {kind: column.name for kind, column in found.items()} == {"document": "one", "token": "two"}
    with pytest.raises(ColumnError, match="Wrong or missing inputCols annotators in stage"):
        find_annotation_columns(frame, ["two", "one"], ["document", "token"], "stage")


def test_columns_of_wrong_types_are_listed_with_their_types(any_spark):
    frame = annotations(annotations(frame_of(any_spark, x=1), "one", "document"), "two", "document")
    for names in (["one", "two"], ["one", "x"], ["one"]):
        with pytest.raises(ColumnError) as raised:
            find_annotation_columns(frame, names, ["document", "token"], "stage")
        assert "(column_name=two,is_nlp_annotator=true,type=document)" in str(raised.value)
        assert "(column_name=x,is_nlp_annotator=false)" in str(raised.value)
        assert str(raised.value).endswith("following annotator types: document, token")


def with_types(**changed):
    fields = [StructField(f.name, changed.get(f.name, f.dataType), f.nullable) for f in ANNOTATION_TYPE.fields]
    return ArrayType(StructType(fields))


def test_a_field_that_changed_its_type_is_named_with_both_types(any_spark):
    """What pandas and Spark's JSON reader make of ``begin`` and ``end``."""
    changed = {"begin": "bigint", "end": "double"}
    kind = with_types(**{name: any_spark.range(1).selectExpr(f"CAST(id AS {sql}) AS v").schema["v"].dataType
                         for name, sql in changed.items()})  # fmt: skip
    frame = annotations(frame_of(any_spark, x=1), "sentence", "document", kind)
    message = (
        r"stage: column 'sentence' has the fields of an annotation, but 'begin' is bigint, expected int; 'end' is "
        r"double, expected int\. Cast the column to Annotation\.arrayType\(\)\.simpleString\(\)\."
    )
    with pytest.raises(ColumnError, match=message):
        find_annotation_columns(frame, ["sentence"], ["document"], "stage")
    cast = frame.select(
        F.col("sentence")
        .cast(ANNOTATION_COLUMN_TYPE.simpleString())
        .alias("sentence", metadata={"annotatorType": "document"})
    )
    assert find_annotation_columns(cast, ["sentence"], ["document"], "stage")["document"].name == "sentence"


def test_lost_nullability_does_not_matter(any_spark, tmp_path):
    """Parquet keeps neither the nullability of fields nor that of items."""
    annotations(frame_of(any_spark, x=1), "token", "token").write.parquet(f"{tmp_path}/tokens")
    frame = any_spark.read.parquet(f"{tmp_path}/tokens")
    assert frame.schema["token"].dataType != ANNOTATION_COLUMN_TYPE
    assert list(find_annotation_columns(frame, ["token"], ["token"], "stage")) == ["token"]
