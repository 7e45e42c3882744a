"""SQL expressions for what the JVM does, against Python and against rules of Scala written down here."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from sparkalbert.ml.stages.expressions import as_utf16_units, bind, jvm_ordered, nullable, utf16_length

TEXTS = ["", "a", "é", "🙂", "a🙂b😀", "\ue000", "\ud7ff\uffff", "\U00010000\U0010ffff", "𝒳" * 40, None]


def units(text):
    return len(text.encode("utf-16-le")) // 2


def test_lengths_count_utf16_units(any_spark):
    frame = any_spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string")
    wide = as_utf16_units(F.col("text"))
    rows = frame.orderBy("id").select(utf16_length(F.col("text")).alias("n"), F.length(wide).alias("m")).collect()
    expected = [None if text is None else units(text) for text in TEXTS]
    assert [row.n for row in rows] == [row.m for row in rows] == expected


def test_places_in_wide_texts_are_those_of_utf16(any_spark):
    frame = any_spark.createDataFrame(
        [("a🙂b🙂c", "b"), ("🙂🙂x", "x"), ("x🙂", "🙂"), ("xy", "🙂")], "text string, part string"
    )
    wide = F.position(as_utf16_units(F.col("part")), as_utf16_units(F.col("text")))
    assert [row.p for row in frame.select(wide.alias("p")).collect()] == [4, 5, 2, 0]


def test_a_bound_value_is_computed_once(any_spark):
    twice = bind(F.expr("uuid()"), lambda value: F.array(value, value))
    first, second = any_spark.range(1).select(twice.alias("v")).first().v
    assert first == second


def test_a_nullable_column_keeps_its_values(any_spark):
    frame = any_spark.range(2).select("id", nullable(F.col("id")).alias("same"))
    assert (frame.schema["id"].nullable, frame.schema["same"].nullable) == (False, True)
    assert [row.same for row in frame.orderBy("id").collect()] == [0, 1]


def java_hash(text):
    """``String.hashCode`` as an unsigned number."""
    code = 0
    for unit in range(units(text)):
        code = (31 * code + int.from_bytes(text.encode("utf-16-be")[2 * unit : 2 * unit + 2], "big")) & 0xFFFFFFFF
    return code


def improved(code):
    """``scala.collection.immutable.HashMap.improve`` of Scala 2.12, in Java's arithmetic."""
    code = (code + ~(code << 9)) & 0xFFFFFFFF
    code ^= code >> 14
    code = (code + (code << 4)) & 0xFFFFFFFF
    return code ^ (code >> 10)


def in_trie(keys, level=0):
    """The keys in the order of a hash trie: by five bits of their codes at each level."""
    if len(keys) < 2:
        return list(keys)
    branches = {}
    for key in keys:
        branches.setdefault((improved(java_hash(key)) >> level) & 31, []).append(key)
    return [key for digit in sorted(branches) for key in in_trie(branches[digit], level + 5)]


keys = st.lists(st.text("abcxyz019_é", min_size=1, max_size=6), unique=True, max_size=12)


@settings(max_examples=8)
@given(st.lists(keys, min_size=1, max_size=40))
def test_maps_have_the_order_of_scalas_immutable_maps(spark, rows):
    frame = spark.createDataFrame(
        [(number, [(key, str(place)) for place, key in enumerate(row)]) for number, row in enumerate(rows)],
        "id int, entries array<struct<key:string,value:string>>",
    )
    ordered = frame.orderBy("id").select(jvm_ordered(F.col("entries")).alias("entries")).collect()
    for row, given_keys in zip(ordered, rows, strict=True):
        expected = given_keys if len(given_keys) <= 4 else in_trie(given_keys)
        assert [entry.key for entry in row.entries] == expected
        assert [given_keys[int(entry.value)] for entry in row.entries] == expected
