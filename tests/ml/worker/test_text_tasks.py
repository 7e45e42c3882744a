import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.ml.worker import text_tasks
from sparkalbert.ml.worker.text_tasks import SentenceTask, TokenTask
from sparkalbert.offsets import utf16_length
from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter
from sparkalbert.text.segmentation.tokens import TokenizerOptions, WordTokenizer

texts = st.text("aB 🙂é.!\n", max_size=12)
entries = st.none() | st.lists(
    st.tuples(st.sampled_from(["id", "sentence", "src"]), st.none() | st.sampled_from("xyz")),
    max_size=3,
    unique_by=lambda entry: entry[0],
)
documents = st.tuples(st.none() | st.integers(0, 5), st.none() | texts, entries)
rows = st.lists(st.none() | st.lists(documents, max_size=3), max_size=6)


def naive(find, row, kind, metadata):
    """One row at a time, as plain Python."""
    if row is None:
        return None
    out = []
    for begin, text, given_entries in row:
        for (start, stop), lag in zip(*find(text or ""), strict=True):
            first = (begin or 0) + utf16_length(text[:start]) - lag
            result = text[start:stop]
            last = first + utf16_length(result) - 1
            out.append((kind, first, last, result, metadata(len(out), dict(given_entries or [])), []))
    return out


def computed(task, columns):
    """The task's output over all batches, with maps as dicts."""
    column = [row for array in task(iter(columns)) for row in array.to_pylist()]
    return [
        None
        if row is None
        else [tuple(dict(value) if key == "metadata" else value for key, value in item.items()) for item in row]
        for row in column
    ]


def sliced(columns, before, after):
    """The same columns as a slice of longer ones, with a null row of hidden items in front."""
    return tuple(
        pa.concat_arrays([column[:before], column, column[:after]]).slice(min(before, len(column)), len(column))
        for column in columns
    )


def field(rows, index, kind):
    return pa.array([row if row is None else [item[index] for item in row] for row in rows], type=kind)


def sentence_columns(rows):
    return tuple(field(rows, index, read.type) for index, read in enumerate(SentenceTask.inputs[0]))


def token_columns(rows):
    keyed = [
        row if row is None else [(begin, text, dict(found or []).get("sentence")) for begin, text, found in row]
        for row in rows
    ]
    return tuple(field(keyed, index, read.type) for index, read in enumerate(TokenTask.inputs[0]))


@given(rows, st.integers(0, 2), st.integers(0, 2), st.sampled_from([{}, {"split_length": 2}]))
def test_sentences_of_batches_are_those_of_single_rows(rows, before, after, options):
    options = SentenceOptions(**options)
    find = SentenceSplitter(options).split_with_lags
    expected = [naive(find, row, "document", lambda index, _: {"sentence": str(index)}) for row in rows]
    columns = sliced(sentence_columns(rows), before, after)
    assert computed(SentenceTask(options), [columns, columns]) == expected * 2


SETTINGS = [
    {},  # found in all texts at once, as the next two
    {"context_chars": ("B", "!", "\n"), "min_length": 2},
    {"context_chars": (), "max_length": 1},
    {"context_chars": ("é", ".")},
    {"split_chars": ("B",), "target_pattern": "[^ !]"},
]


@given(rows, st.integers(0, 2), st.integers(0, 2), st.sampled_from(SETTINGS))
def test_tokens_of_batches_are_those_of_single_rows(rows, before, after, options):
    options = TokenizerOptions(**options)
    find = WordTokenizer(options).tokenize_with_lags
    expected = [naive(find, row, "token", lambda _, other: {"sentence": other.get("sentence") or "0"}) for row in rows]
    columns = sliced(token_columns(rows), before, after)
    assert computed(TokenTask(options), [columns, columns]) == expected * 2


def test_null_rows_that_hide_items_stay_null():
    strings = pa.array(["hidden words", "two words", "hidden too"])
    null = pa.array([True, False, True])
    bounds = pa.array([0, 1, 2, 3], type=pa.int32())
    result = pa.ListArray.from_arrays(bounds, strings, mask=null)
    begin = pa.ListArray.from_arrays(bounds, pa.array([0, 0, 0], type=pa.int32()), mask=null)
    index = pa.ListArray.from_arrays(bounds, pa.array(["7", "8", "9"]), mask=null)
    (array,) = TokenTask(TokenizerOptions())(iter([(begin, result, index)]))
    assert array.is_null().to_pylist() == [True, False, True]
    shown = [(item["begin"], item["result"], dict(item["metadata"])) for item in array[1].as_py()]
    assert shown == [(0, "two", {"sentence": "8"}), (4, "words", {"sentence": "8"})]


def test_offsets_lag_where_spark_nlps_do():
    columns = token_columns([[(100, "one 🙂 two", None)], [(0, "one 🙂 two", None)]])
    task = TokenTask(TokenizerOptions(target_pattern=r"\w+"))
    shown = [[item[1:4] for item in row] for row in computed(task, [columns])]
    assert shown == [[(100, 102, "one"), (106, 108, "two")], [(0, 2, "one"), (6, 8, "two")]]


@pytest.mark.parametrize(("limit", "arrays"), [(1, 5), (12, 3), (1 << 20, 1)])
def test_large_batches_are_cut_between_rows(monkeypatch, limit, arrays):
    rows = [
        [(0, "one two", None)],
        None,
        [(0, "three", None), (6, "four", None)],
        [],
        [(0, "five six", None)],
    ]
    columns = token_columns(rows)
    whole = computed(TokenTask(TokenizerOptions()), [columns])
    monkeypatch.setattr(text_tasks, "_GROUP_BYTES", limit)
    parts = list(TokenTask(TokenizerOptions())(iter([columns])))
    assert len(parts) <= arrays
    assert (len(parts) > 1) == (arrays > 1)
    assert computed(TokenTask(TokenizerOptions()), [columns]) == whole


def test_an_empty_batch_gives_nothing():
    assert computed(SentenceTask(SentenceOptions()), [sentence_columns([])]) == []


def test_arrow_types_are_exactly_what_spark_expects():
    from pyspark.sql.pandas.types import to_arrow_type

    from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE

    rows = [[(0, "One. Two.", [("id", "x")])], None]
    expected = to_arrow_type(ANNOTATION_COLUMN_TYPE)
    for task, columns in [
        (SentenceTask(SentenceOptions()), sentence_columns(rows)),
        (SentenceTask(SentenceOptions()), sentence_columns([[(0, "One.", None)]])),
        (TokenTask(TokenizerOptions()), token_columns(rows)),
    ]:
        (array,) = task(iter([columns]))
        assert array.type.equals(expected, check_metadata=False)
        array.validate(full=True)
