"""Sentences with their tokens; the results are compared with Spark NLP's in ml/stages/test_recorded_tokens.py."""

import pyarrow as pa
import pytest

from sparkalbert.ml.worker.sentence_tasks import AssemblyTask, MatchTask

SMILE = "\U0001f642"
TEXT = f"{SMILE} a\t b{SMILE}c.  d"
# Begin, end and result of sentences and of tokens; the token at 20 is in no sentence.
SENTENCES = ([0, 9], [9, 12], [TEXT[:8], "  d"])
TOKENS = ([0, 3, 6, 10, 11, 20], [1, 3, 9, 10, 11, 20], [SMILE, "a", f"b{SMILE}c", ".", "d", "x"])
PHRASES = [["a"], ["a", f"B{SMILE}C"], [f"b{SMILE}c"], ["D"]]


def run(annotate, task, rows):
    columns = [[None if row is None else row[at] for row in rows] for at in range(6)]
    return annotate(task, [field.type for fields in task.inputs for field in fields], columns)


def batch(annotate, task):
    sentences = ([0, 10], [9, 14], [TEXT[:8], ".  d "])
    return run(annotate, task, [(*sentences, *TOKENS)])[0]


def test_tokens_are_put_together(annotate):
    assert batch(annotate, AssemblyTask(preserve_position=False)) == [
        ["document", 0, 8, f"{SMILE} a b{SMILE}c", {"sentence": "0"}],
        ["document", 10, 11, ".d", {"sentence": "1"}],
    ]
    assert batch(annotate, AssemblyTask(preserve_position=True))[0][3] == f"{SMILE} a\t b{SMILE}c"


def test_a_sentence_without_tokens_is_empty(annotate):
    (row,) = run(annotate, AssemblyTask(preserve_position=True), [([3], [5], ["abc"], [], [], [])])
    assert row == [["document", 3, 2, "", {"sentence": "0"}]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [(3, 3, "a", "0", "0"), (6, 9, f"b{SMILE}c", "0", "1")]),
        (
            {"case_sensitive": False},
            [
                (3, 3, "a", "0", "0"),
                (3, 9, f"a\t b{SMILE}c", "0", "1"),
                (6, 9, f"b{SMILE}c", "0", "2"),
                (11, 11, " ", "1", "3"),  # what the sentence has there
            ],
        ),
        (
            {"case_sensitive": False, "merge_overlapping": True, "build_from_tokens": True},
            [(3, 9, f"a b{SMILE}c", "0", "0"), (11, 11, "d", "1", "1")],
        ),
    ],
)
def test_phrases_are_found(annotate, params, expected):
    options = {"case_sensitive": True, "merge_overlapping": False, "build_from_tokens": False, **params}
    found = batch(annotate, MatchTask(PHRASES, entity="e", **options))
    assert [(*one[1:4], one[4]["sentence"], one[4]["chunk"]) for one in found] == expected
    assert {(one[0], one[4]["entity"]) for one in found} == {("chunk", "e")}


def test_rows_that_are_null_in_either_column_give_null():
    task = AssemblyTask(preserve_position=False)
    rows = [(*SENTENCES, *TOKENS), (*SENTENCES, None, None, None), (None, None, None, *TOKENS), ([], [], [], *TOKENS)]
    types = [field.type for fields in task.inputs for field in fields]
    batch = tuple(pa.array([row[at] for row in rows], type=kind) for at, kind in enumerate(types))
    (made,) = task(iter([batch]))
    assert [row if row is None else len(row) for row in made.to_pylist()] == [2, None, None, 0]
