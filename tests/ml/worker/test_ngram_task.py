"""N-grams, against plain loops."""

from itertools import groupby

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.ml.worker.arrow import ARROW_COLUMN_TYPE
from sparkalbert.ml.worker.ngram_task import NGramTask


def token(begin, result, metadata):
    return {
        "annotatorType": "token",
        "begin": begin,
        "end": begin + 1,
        "result": result,
        "metadata": list(metadata.items()),
        "embeddings": [],
    }


def run(task, rows):
    column = pa.array(rows, type=ARROW_COLUMN_TYPE)
    made = pa.concat_arrays(list(task(iter([tuple(field.array(column) for field in task.inputs[0])]))))
    assert made.type == ARROW_COLUMN_TYPE
    made.validate(full=True)
    return [row and [(o["begin"], o["end"], o["result"], dict(o["metadata"])) for o in row] for row in made.to_pylist()]


def loop(tokens, task):
    """The n-grams of a row, sentence by sentence, as the JVM makes them."""
    made = []
    in_order = sorted(tokens, key=sentence_of)
    for sentence, group in groupby(in_order, key=sentence_of):
        some = list(group)
        number = 0
        for length in range(1 if task.cumulative else task.n, task.n + 1):
            for start in range(len(some) - length + 1):
                window = some[start : start + length]
                text = task.delimiter.join(one["result"] for one in window)
                metadata = {"sentence": str(sentence), "chunk": str(number)}
                made.append((window[0]["begin"], window[-1]["end"], text, metadata))
                number += 1
    return made


def sentence_of(one):
    return int(dict(one["metadata"]).get("sentence", "0"))


tokens = st.builds(
    token,
    st.integers(0, 50),
    st.text("ab🙂", max_size=3),
    st.sampled_from([{"sentence": "0"}, {"sentence": "1"}, {"sentence": "10"}, {"sentence": "2"}]),
)


@given(
    rows=st.lists(st.lists(tokens, max_size=8), max_size=4),
    n=st.integers(1, 4),
    cumulative=st.booleans(),
    delimiter=st.sampled_from([" ", "", "_"]),
)
def test_ngrams_are_those_of_a_loop(rows, n, cumulative, delimiter):
    task = NGramTask(n, cumulative, delimiter)
    assert run(task, rows) == [loop(row, task) for row in rows]


def test_null_rows_null_tokens_and_what_metadata_says():
    rows = [
        None,
        [],
        [token(0, "a", {"chunk": "7"}), token(2, None, {}), token(4, "c", {})],
    ]
    assert run(NGramTask(2, cumulative=False, delimiter=" "), rows) == [
        None,
        [],
        [
            (0, 3, "a null", {"sentence": "0", "chunk": "7"}),
            (2, 5, "null c", {"sentence": "0", "chunk": "1"}),
        ],
    ]
